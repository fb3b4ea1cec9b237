"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def materialize_features(home: str, run_id: str, features: Input[Dataset], online: Output[Artifact]) -> None:
    """Put the newest snapshot online; a moment that was asked for also over later ones."""
    from components.home.runs.step import recorded_step

    with recorded_step("materialize_features", home, run_id) as step:
        from components.materialize_features.materialization import materialize_features

        snapshots = step.read("features", features.path)
        asked = step.run.as_of is not None
        step.finish(online.path, materialize_features(step.shop, step.home, snapshots, step.say, asked))
