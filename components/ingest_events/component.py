"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Dataset, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def ingest_events(shop: str, home: str, run_id: str, raw: Output[Dataset]) -> None:
    """Bring what is new in the shop's sources into the raw lake."""
    from datetime import UTC, datetime

    from components.home.step_records import recorded_step

    with recorded_step("ingest_events", shop, home, run_id) as step:
        from components.ingest_events.ingestion import ingest_events

        report = ingest_events(step.shop, step.home, datetime.now(UTC), step.say)
        step.leave(raw.path, report.raw)
        step.report(report.rows_in, report.rows_out, **report.facts)
