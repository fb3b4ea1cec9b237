"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def build_training_set(
    home: str, run_id: str, clean: Input[Dataset], features: Input[Dataset], examples: Output[Dataset]
) -> None:
    """Build ranking examples: past requests, their candidates, features as they stood, outcomes."""
    from components.home.runs.step import recorded_step

    with recorded_step("build_training_set", home, run_id) as step:
        from components.build_training_set.examples import build_training_set

        tables, snapshots = step.read("clean", clean.path), step.read("features", features.path)
        step.finish(examples.path, build_training_set(step.shop, step.home, tables, snapshots, step.say))
