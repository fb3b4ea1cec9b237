"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def validate_events(home: str, run_id: str, raw: Input[Dataset], clean: Output[Dataset]) -> None:
    """Hold what was ingested against the data contract."""
    from components.home.runs.step import recorded_step

    with recorded_step("validate_events", home, run_id) as step:
        from components.validate_events.validation import validate_events

        ingested = step.read("raw", raw.path)
        result = validate_events(step.shop, step.home, ingested, step.run.as_of, step.now, step.say)
        step.finish(clean.path, result)
