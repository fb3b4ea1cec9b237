"""The training pipeline: from a shop's data to a bundle that the gate has judged."""

from kfp import dsl

from components.build_features.component import build_features
from components.build_training_set.component import build_training_set
from components.detect_drift.component import detect_drift
from components.evaluate_ranker.component import evaluate_ranker
from components.home.step_records import CONFIGURED, LATEST
from components.ingest_events.component import ingest_events
from components.materialize_features.component import materialize_features
from components.propose_promotion.component import propose_promotion
from components.publish_bundle.component import publish_bundle
from components.train_ranker.component import train_ranker
from components.validate_events.component import validate_events
from components.write_report.component import write_report


@dsl.pipeline(name="training", description="From a shop's events to a gated ranker.")
def training(
    shop: str, home: str, run_id: str, code_revision: str, as_of: str = LATEST, environment: str = "local"
) -> None:
    """Run every step once; the report is written however the others end.

    KFP caches nothing, for each task takes the run's id; snapshots, examples and online rows are reused by content.
    """
    run = {"shop": shop, "home": home, "run_id": run_id}
    report = write_report(**run).set_caching_options(False)
    with dsl.ExitHandler(report, name="report however it ends"):
        raw = ingest_events(**run).set_caching_options(False).outputs["raw"]
        clean = validate_events(**run, as_of=as_of, raw=raw).set_caching_options(False).outputs["clean"]
        features = build_features(**run, clean=clean).set_caching_options(False).outputs["features"]
        online = materialize_features(**run, as_of=as_of, features=features).set_caching_options(False)
        built = build_training_set(**run, clean=clean, features=features).set_caching_options(False)
        examples = built.outputs["examples"]
        draft = train_ranker(**run, examples=examples).set_caching_options(False).outputs["bundle"]
        judged = evaluate_ranker(**run, environment=environment, bundle=draft, examples=examples, features=features)
        evaluation = judged.set_caching_options(False).outputs["evaluation"]
        published = publish_bundle(
            **run, code_revision=code_revision, draft=draft, evaluation=evaluation, features=features
        )
        bundle = published.set_caching_options(False).outputs["bundle"]
        promotion = propose_promotion(**run, environment=environment, bundle=bundle, evaluation=evaluation)
        promotion.set_caching_options(False).after(online)
        drift = detect_drift(**run, environment=environment, window=CONFIGURED, examples=examples)
        drift.set_caching_options(False).after(promotion)
