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
from pipelines.kubernetes import PIPELINE, on_kubernetes


@dsl.pipeline(name="training", description="From a shop's events to a gated ranker.", pipeline_config=PIPELINE)
def training(
    shop: str, home: str, run_id: str, fingerprint: dict, as_of: str = LATEST, environment: str = "local"
) -> None:
    """Run every step once: the first begins the run, and the last reports on it and ends it, however the others end.

    KFP caches nothing, for each task takes the run's id; snapshots, examples and online rows are reused by content.
    """
    asked = {"as_of": as_of, "environment": environment, "window": CONFIGURED, "fingerprint": fingerprint}
    run = {"home": home, "run_id": run_id}
    report = on_kubernetes(write_report(**run))
    with dsl.ExitHandler(report, name="report however it ends"):
        raw = on_kubernetes(ingest_events(**run, shop=shop, pipeline="training", **asked)).outputs["raw"]
        clean = on_kubernetes(validate_events(**run, raw=raw)).outputs["clean"]
        features = on_kubernetes(build_features(**run, clean=clean)).outputs["features"]
        online = on_kubernetes(materialize_features(**run, features=features))
        examples = on_kubernetes(build_training_set(**run, clean=clean, features=features)).outputs["examples"]
        draft = on_kubernetes(train_ranker(**run, examples=examples)).outputs["bundle"]
        judged = on_kubernetes(evaluate_ranker(**run, features=features, examples=examples, draft=draft))
        evaluation = judged.outputs["evaluation"]
        published = on_kubernetes(publish_bundle(**run, features=features, draft=draft, evaluation=evaluation))
        bundle = published.outputs["bundle"]
        promotion = on_kubernetes(propose_promotion(**run, evaluation=evaluation, bundle=bundle)).after(online)
        on_kubernetes(detect_drift(**run, examples=examples)).after(promotion)
