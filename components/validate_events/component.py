"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def validate_events(shop: str, home: str, run_id: str, as_of: str, raw: Input[Dataset], clean: Output[Dataset]) -> None:
    """Hold what was ingested against the data contract."""
    from datetime import UTC, datetime

    from components.contracts.handles import read_handle
    from components.home.step_records import asked_moment, recorded_step

    with recorded_step("validate_events", shop, home, run_id) as step:
        from components.validate_events.validation import validate_events

        moment, now = asked_moment(as_of), datetime.now(UTC)
        report = validate_events(step.shop, step.home, read_handle(raw.path, "raw"), moment, now, step.say)
        step.leave(clean.path, report.clean)
        step.warn(*report.warnings)
        step.report(report.rows_in, report.rows_out, **report.facts)
