"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def train_ranker(home: str, run_id: str, examples: Input[Dataset], bundle: Output[Model]) -> None:
    """Train the ranker on grouped examples and draft its bundle."""
    from components.home.runs.step import recorded_step

    with recorded_step("train_ranker", home, run_id) as step:
        from components.train_ranker.training import train_ranker

        rows = step.read("examples", examples.path)
        step.finish(bundle.path, train_ranker(step.shop, step.home, rows, run_id, step.say))
