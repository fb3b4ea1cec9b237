"""The training pipeline: from a shop's data to a bundle that the gate has judged."""

from kfp import dsl

from components.build_features.component import build_features
from components.contracts.steps import LATEST
from components.ingest_events.component import ingest_events
from components.validate_events.component import validate_events


@dsl.pipeline(name="training", description="From a shop's events to a gated ranker.")
def training(
    shop: str, home: str, run_id: str, code_revision: str, as_of: str = LATEST, environment: str = "local"
) -> None:
    """Run every step once; the report is written however the others end."""
    ingested = ingest_events(shop=shop, home=home, run_id=run_id)
    validated = validate_events(shop=shop, home=home, run_id=run_id, as_of=as_of, raw=ingested.outputs["raw"])
    built = build_features(shop=shop, home=home, run_id=run_id, clean=validated.outputs["clean"])
