"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def materialize_features(
    shop: str, home: str, run_id: str, as_of: str, features: Input[Dataset], online: Output[Artifact]
) -> None:
    """Put the newest snapshot online; a moment that was asked for also over later ones."""
    from components.contracts.handles import read_handle
    from components.home.step_records import LATEST, recorded_step

    with recorded_step("materialize_features", shop, home, run_id) as step:
        from components.materialize_features.materialization import materialize_features

        chosen = read_handle(features.path, "features")
        put = materialize_features(step.shop, step.home, chosen, step.say, asked=as_of != LATEST)
        step.leave(online.path, put.online)
        step.report(put.rows_in, put.rows_out, **put.facts)
