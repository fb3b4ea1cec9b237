"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Artifact, Input, Model, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def propose_promotion(
    home: str, run_id: str, evaluation: Input[Artifact], bundle: Input[Model], promotion: Output[Artifact]
) -> None:
    """Make the environment serve the bundle, if the verdict says so."""
    from components.home.runs.step import recorded_step

    with recorded_step("propose_promotion", home, run_id) as step:
        from os import environ

        from components.bundles.signing.trust import trust_here
        from components.propose_promotion.proposal import propose_promotion

        verdict, published = step.read("evaluation", evaluation.path), step.read("bundle", bundle.path)
        now = step.now.isoformat()
        environment, trust = step.run.environment, trust_here(step.home, step.run.environment, environ)
        result = propose_promotion(step.shop, step.home, verdict, published, environment, now, step.say, trust=trust)
        step.finish(promotion.path, result)
