"""The facts that the report reads are fields of what the steps write."""

from dataclasses import fields

import pytest

from components.contracts.steps.declared import STEPS, StepInfo
from tests.components.write_report.sample_facts import FACTS

WITH_FACTS = [step for step in STEPS if step.facts is not None]


@pytest.mark.parametrize("step", WITH_FACTS, ids=lambda step: step.name)
def test_the_sample_run_tells_what_a_step_can_tell(step: StepInfo) -> None:
    assert step.facts is not None
    assert set(FACTS.get(step.name, {})) <= {field.name for field in fields(step.facts)}
