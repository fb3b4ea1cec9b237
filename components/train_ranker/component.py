"""The KFP component of this step."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def train_ranker(shop: str, home: str, run_id: str, examples: Input[Dataset], bundle: Output[Model]) -> None:
    """Train the ranker on grouped examples and draft its bundle."""
    from components.contracts.handles import read_handle
    from components.home.step_records import recorded_step

    with recorded_step("train_ranker", shop, home, run_id) as step:
        from components.train_ranker.training import train_ranker

        drafted = train_ranker(step.shop, read_handle(examples.path, "examples"), step.home, run_id, step.say)
        step.leave(bundle.path, drafted.bundle)
        step.report(drafted.rows_in, drafted.rows_out, **drafted.facts)
