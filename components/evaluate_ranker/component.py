"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Model, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def evaluate_ranker(
    home: str,
    run_id: str,
    features: Input[Dataset],
    examples: Input[Dataset],
    draft: Input[Model],
    evaluation: Output[Artifact],
) -> None:
    """Judge the draft beside the champion and the baselines on the held-out requests."""
    from components.home.runs.step import recorded_step

    with recorded_step("evaluate_ranker", home, run_id) as step:
        from os import environ

        from components.bundles.signing.trust import trust_here
        from components.evaluate_ranker.evaluation import evaluate_ranker

        snapshots, rows = step.read("features", features.path), step.read("examples", examples.path)
        drafted = step.read("bundle", draft.path)
        environment, trust = step.run.environment, trust_here(step.home, step.run.environment, environ)
        result = evaluate_ranker(
            step.shop, step.home, snapshots, rows, drafted, environment, run_id, step.say, trust=trust
        )
        step.finish(evaluation.path, result)
