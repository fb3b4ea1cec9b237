"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def build_features(shop: str, home: str, run_id: str, clean: Input[Dataset], features: Output[Dataset]) -> None:
    """Build the feature snapshots that the pool lacks."""
    from components.contracts.handles import read_handle
    from components.home.step_records import recorded_step

    with recorded_step("build_features", shop, home, run_id) as step:
        from components.build_features.snapshots import build_features

        built = build_features(step.shop, step.home, read_handle(clean.path, "clean"), step.say)
        step.leave(features.path, built.features)
        step.report(built.rows_in, built.rows_out, **built.facts)
