"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output

from components.contracts.images import image


@dsl.component(base_image=image("monitoring"), install_kfp_package=False)
def detect_drift(
    shop: str,
    home: str,
    run_id: str,
    environment: str,
    window: str,
    examples: Input[Dataset],
    drift: Output[Artifact],
) -> None:
    """Compare the newest window with the reference of the bundle that serves."""
    from components.contracts.handles import read_handle
    from components.home.step_records import asked_days, recorded_step

    with recorded_step("detect_drift", shop, home, run_id) as step:
        from components.detect_drift.newest_window import judge_newest_window

        rows, days = read_handle(examples.path, "examples"), asked_days(window)
        detected = judge_newest_window(step.shop, step.home, rows, environment, run_id, step.say, days)
        step.leave(drift.path, detected.drift)
        step.report(detected.rows_in, detected.rows_out, **detected.facts)
