"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Model, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def publish_bundle(
    home: str,
    run_id: str,
    features: Input[Dataset],
    draft: Input[Model],
    evaluation: Input[Artifact],
    bundle: Output[Model],
) -> None:
    """Seal the judged draft in the model store."""
    from components.home.runs.step import recorded_step

    with recorded_step("publish_bundle", home, run_id) as step:
        from os import environ

        from components.bundles.signing.home_key import bundle_signer
        from components.publish_bundle.examples import customer_examples
        from components.publish_bundle.publishing import publish_bundle

        drafted, verdict = step.read("bundle", draft.path), step.read("evaluation", evaluation.path)
        lists = customer_examples(step.home, step.read("features", features.path), drafted, step.say)
        now, code = step.now.isoformat(), step.run.fingerprint.get("code")
        signer = bundle_signer(step.home, step.shop.name, environ)
        sealed = publish_bundle(step.shop, step.home, drafted, verdict, run_id, now, code, step.say, lists, signer)
        step.finish(bundle.path, sealed)
