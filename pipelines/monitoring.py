"""The monitoring pipeline: has what comes in drifted from what the live bundle learned from?"""

from kfp import dsl

from components.build_features.component import build_features
from components.build_training_set.component import build_training_set
from components.detect_drift.component import detect_drift
from components.home.runs.step import CONFIGURED, LATEST
from components.ingest_events.component import ingest_events
from components.validate_events.component import validate_events
from components.write_report.component import write_report


@dsl.pipeline(name="monitoring", description="Drift of the newest data against the live bundle's reference.")
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
    report = write_report(**run).set_caching_options(False)
    with dsl.ExitHandler(report, name="report however it ends"):
        raw = ingest_events(**run, shop=shop, pipeline="monitoring", **asked).set_caching_options(False).outputs["raw"]
        clean = validate_events(**run, raw=raw).set_caching_options(False).outputs["clean"]
        features = build_features(**run, clean=clean).set_caching_options(False).outputs["features"]
        built = build_training_set(**run, clean=clean, features=features).set_caching_options(False)
        examples = built.outputs["examples"]
        drift = detect_drift(**run, examples=examples)
        drift.set_caching_options(False)
