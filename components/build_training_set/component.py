"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def build_training_set(
    shop: str,
    home: str,
    run_id: str,
    clean: Input[Dataset],
    features: Input[Dataset],
    examples: Output[Dataset],
) -> None:
    """Build ranking examples: past requests, their candidates, features as they stood, outcomes."""
    from components.contracts.handles import read_handle
    from components.home.step_records import recorded_step

    with recorded_step("build_training_set", shop, home, run_id) as step:
        from components.build_training_set.examples import build_training_set

        snapshots, tables = read_handle(features.path, "features"), read_handle(clean.path, "clean")
        built = build_training_set(step.shop, step.home, snapshots, tables, step.say)
        step.leave(examples.path, built.examples)
        step.report(built.rows_in, built.rows_out, **built.facts)
