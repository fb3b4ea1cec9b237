"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Artifact, Input, Model, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def propose_promotion(
    shop: str,
    home: str,
    run_id: str,
    environment: str,
    bundle: Input[Model],
    evaluation: Input[Artifact],
    promotion: Output[Artifact],
) -> None:
    """Make the environment serve the bundle, if the verdict says so."""
    from datetime import UTC, datetime

    from components.contracts.handles import read_handle
    from components.home.step_records import recorded_step

    with recorded_step("propose_promotion", shop, home, run_id) as step:
        from components.propose_promotion.proposal import propose_promotion

        published, verdict = read_handle(bundle.path, "bundle"), read_handle(evaluation.path, "evaluation")
        now = datetime.now(UTC).isoformat()
        proposed = propose_promotion(step.shop, step.home, published, verdict, environment, now, step.say)
        step.leave(promotion.path, proposed.promotion)
        step.report(proposed.rows_in, proposed.rows_out, **proposed.facts)
