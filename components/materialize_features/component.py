"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def materialize_features(shop: str, home: str, run_id: str, features: Input[Dataset], online: Output[Artifact]) -> None:
    """Put the newest snapshot online."""
    from components.contracts.handles import read_handle
    from components.contracts.steps import recorded_step

    with recorded_step("materialize_features", shop, home, run_id) as step:
        from components.materialize_features.materialization import materialize_features

        put = materialize_features(step.shop, step.home, read_handle(features.path, "features"), step.say)
        step.leave(online.path, put.online)
        step.report(put.rows_in, put.rows_out, **put.facts)
