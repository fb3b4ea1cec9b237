"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Model, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def publish_bundle(
    shop: str,
    home: str,
    run_id: str,
    code_revision: str,
    draft: Input[Model],
    evaluation: Input[Artifact],
    features: Input[Dataset],
    bundle: Output[Model],
) -> None:
    """Seal the judged draft in the model store."""
    from datetime import UTC, datetime

    from components.contracts.handles import read_handle
    from components.home.step_records import recorded_step

    with recorded_step("publish_bundle", shop, home, run_id) as step:
        from components.publish_bundle.examples import customer_examples
        from components.publish_bundle.publishing import publish_bundle

        drafted, verdict = read_handle(draft.path, "bundle"), read_handle(evaluation.path, "evaluation")
        examples = customer_examples(drafted, read_handle(features.path, "features"), step.home, step.say)
        now = datetime.now(UTC).isoformat()
        published = publish_bundle(step.shop, step.home, drafted, verdict, run_id, now, code_revision, step.say)
        step.leave(bundle.path, published.bundle)
        step.report(published.rows_in, published.rows_out, **published.facts, examples=examples)
