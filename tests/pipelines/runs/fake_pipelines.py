"""Pipelines of steps that do next to nothing, for the runner's own tests."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def first_step(shop: str, home: str, run_id: str, mood: str, raw: Output[Dataset]):
    """Begin the run and leave a handle, or do what the mood says."""
    import os
    import time

    from components.contracts.errors import SourceError
    from components.contracts.handles import Handle
    from components.contracts.steps.declared import StepResult
    from components.contracts.steps.facts import IngestionFacts
    from components.home.runs import step as steps

    with steps.first_step(
        "first_step", home, run_id, shop, "training", "2026-01-01", "local", "14", {"code": "c"}
    ) as step:
        step.say("looking around")
        if mood == "refuse":
            raise SourceError("source: found nothing, expected rows; give it some")
        if mood == "stumble":
            raise ZeroDivisionError("a slip of the pen")
        if mood == "vanish":
            os.kill(os.getpid(), 9)
        if mood == "sleep":
            time.sleep(60)
        step.finish(
            raw.path, StepResult(Handle("raw", "nowhere", as_of="2026-01-01T00:00:00+00:00"), 3, 2, IngestionFacts({}))
        )


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def second_step(home: str, run_id: str, raw: Input[Dataset]):
    """Read the handle."""
    from components.home.runs.step import recorded_step

    with recorded_step("second_step", home, run_id) as step:
        step.record.rows_in = len(step.read("raw", raw.path).uri)


@dsl.component(base_image=image("monitoring"), install_kfp_package=False)
def last_step(home: str, run_id: str, status: dsl.PipelineTaskFinalStatus):
    """Note how the others did, and end the run."""
    from components.home.runs import step as steps

    with steps.last_step("last_step", home, run_id, steps.has_succeeded(status.state)) as step:
        step.record.facts = {"state": status.state}


@dsl.pipeline(name="two-steps")
def two_steps(shop: str, home: str, run_id: str, mood: str = "calm"):
    """Run two steps and an exit step."""
    exit_task = last_step(home=home, run_id=run_id)
    with dsl.ExitHandler(exit_task):
        first = first_step(shop=shop, home=home, run_id=run_id, mood=mood).set_retry(2, "1s")  # of a cluster's runs
        second_step(home=home, run_id=run_id, raw=first.outputs["raw"])
