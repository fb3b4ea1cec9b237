"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Model, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def evaluate_ranker(
    shop: str,
    home: str,
    run_id: str,
    environment: str,
    bundle: Input[Model],
    examples: Input[Dataset],
    features: Input[Dataset],
    evaluation: Output[Artifact],
) -> None:
    """Judge the draft beside the champion and the baselines on the held-out requests."""
    from components.contracts.handles import read_handle
    from components.home.step_records import recorded_step

    with recorded_step("evaluate_ranker", shop, home, run_id) as step:
        from components.evaluate_ranker.evaluation import evaluate_ranker

        draft, rows = read_handle(bundle.path, "bundle"), read_handle(examples.path, "examples")
        views = read_handle(features.path, "features")
        judged = evaluate_ranker(step.shop, step.home, draft, rows, views, run_id, environment, step.say)
        step.leave(evaluation.path, judged.evaluation)
        step.report(judged.rows_in, judged.rows_out, **judged.facts)
