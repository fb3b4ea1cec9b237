"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def build_features(home: str, run_id: str, clean: Input[Dataset], features: Output[Dataset]) -> None:
    """Build the feature snapshots that the pool lacks."""
    from components.home.runs.step import recorded_step

    with recorded_step("build_features", home, run_id) as step:
        from components.build_features.snapshots import build_features

        tables = step.read("clean", clean.path)
        step.finish(features.path, build_features(step.shop, step.home, tables, step.say))
