"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output

from components.contracts.images import image


@dsl.component(base_image=image("monitoring"), install_kfp_package=False)
def detect_drift(home: str, run_id: str, examples: Input[Dataset], drift: Output[Artifact]) -> None:
    """Compare the newest window with the reference of the bundle that serves."""
    from components.home.runs.step import recorded_step

    with recorded_step("detect_drift", home, run_id) as step:
        from os import environ

        from components.bundles.signing.trust import trust_here
        from components.detect_drift.newest_window import judge_newest_window

        rows, run = step.read("examples", examples.path), step.run
        trust = trust_here(step.home, run.environment, environ)
        result = judge_newest_window(
            step.shop, step.home, rows, run.environment, run_id, step.say, run.window_days, trust
        )
        step.finish(drift.path, result)
