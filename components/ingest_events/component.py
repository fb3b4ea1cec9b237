"""The KFP component of this step: the first of every pipeline, which begins the run."""

from kfp import dsl
from kfp.dsl import Dataset, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def ingest_events(
    home: str,
    run_id: str,
    shop: str,
    pipeline: str,
    as_of: str,
    environment: str,
    window: str,
    fingerprint: dict,
    raw: Output[Dataset],
) -> None:
    """Begin the run, and bring what is new in the shop's sources into the raw lake."""
    from components.home.runs.step import first_step

    asked = (pipeline, as_of, environment, window, fingerprint)
    with first_step("ingest_events", home, run_id, shop, *asked) as step:
        from components.ingest_events.ingestion import ingest_events

        step.finish(raw.path, ingest_events(step.shop, step.home, step.now, step.say))
