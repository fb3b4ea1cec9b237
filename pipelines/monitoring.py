"""The monitoring pipeline: has what comes in drifted from what the live bundle learned from?"""

from kfp import dsl

from components.build_features.component import build_features
from components.build_training_set.component import build_training_set
from components.detect_drift.component import detect_drift
from components.home.runs.step import CONFIGURED, LATEST
from components.ingest_events.component import ingest_events
from components.validate_events.component import validate_events
from components.write_report.component import write_report
from pipelines.kubernetes import PIPELINE, on_kubernetes


@dsl.pipeline(
    name="monitoring",
    description="Drift of the newest data against the live bundle's reference.",
    pipeline_config=PIPELINE,
)
def monitoring(
    shop: str,
    home: str,
    run_id: str,
    fingerprint: dict,
    as_of: str = LATEST,
    window: str = CONFIGURED,
    environment: str = "local",
) -> None:
    """Bring in what is new and compare it with the reference; run and report end however the steps end."""
    asked = {"as_of": as_of, "environment": environment, "window": window, "fingerprint": fingerprint}
    run = {"home": home, "run_id": run_id}
    report = on_kubernetes(write_report(**run))
    with dsl.ExitHandler(report, name="report however it ends"):
        raw = on_kubernetes(ingest_events(**run, shop=shop, pipeline="monitoring", **asked)).outputs["raw"]
        clean = on_kubernetes(validate_events(**run, raw=raw)).outputs["clean"]
        features = on_kubernetes(build_features(**run, clean=clean)).outputs["features"]
        built = on_kubernetes(build_training_set(**run, clean=clean, features=features))
        on_kubernetes(detect_drift(**run, examples=built.outputs["examples"]))
