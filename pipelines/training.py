"""The training pipeline: from a shop's data to a bundle that the gate has judged."""

from kfp import dsl

from components.build_features.component import build_features
from components.build_training_set.component import build_training_set
from components.detect_drift.component import detect_drift
from components.evaluate_ranker.component import evaluate_ranker
from components.home.runs.step import CONFIGURED, LATEST
from components.ingest_events.component import ingest_events
from components.materialize_features.component import materialize_features
from components.propose_promotion.component import propose_promotion
from components.publish_bundle.component import publish_bundle
from components.train_ranker.component import train_ranker
from components.validate_events.component import validate_events
from components.write_report.component import write_report


@dsl.pipeline(name="training", description="From a shop's events to a gated ranker.")
def training(
    shop: str, home: str, run_id: str, fingerprint: dict, as_of: str = LATEST, environment: str = "local"
) -> None:
    """Run every step once: the first begins the run, and the last reports on it and ends it, however the others end.

    KFP caches nothing, for each task takes the run's id; snapshots, examples and online rows are reused by content.
    """
    asked = {"as_of": as_of, "environment": environment, "window": CONFIGURED, "fingerprint": fingerprint}
    run = {"home": home, "run_id": run_id}
    report = write_report(**run).set_caching_options(False)
    with dsl.ExitHandler(report, name="report however it ends"):
        raw = ingest_events(**run, shop=shop, pipeline="training", **asked).set_caching_options(False).outputs["raw"]
        clean = validate_events(**run, raw=raw).set_caching_options(False).outputs["clean"]
        features = build_features(**run, clean=clean).set_caching_options(False).outputs["features"]
        online = materialize_features(**run, features=features).set_caching_options(False)
        built = build_training_set(**run, clean=clean, features=features).set_caching_options(False)
        examples = built.outputs["examples"]
        draft = train_ranker(**run, examples=examples).set_caching_options(False).outputs["bundle"]
        judged = evaluate_ranker(**run, features=features, examples=examples, draft=draft)
        evaluation = judged.set_caching_options(False).outputs["evaluation"]
        published = publish_bundle(**run, features=features, draft=draft, evaluation=evaluation)
        bundle = published.set_caching_options(False).outputs["bundle"]
        promotion = propose_promotion(**run, evaluation=evaluation, bundle=bundle)
        promotion.set_caching_options(False).after(online)
        drift = detect_drift(**run, examples=examples)
        drift.set_caching_options(False).after(promotion)
