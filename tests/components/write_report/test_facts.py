"""Facts are read back as they were written, and without what is wrong or missing."""

from dataclasses import MISSING, fields

import pytest

from components.contracts.steps.declared import STEPS, StepInfo
from components.contracts.steps.facts import DayFacts, EventFacts, NewRows, ValidationFacts, facts_document
from components.write_report.facts import read_facts
from tests.components.write_report.sample_facts import FACTS

WITH_FACTS = [step for step in STEPS if step.facts is not None]


@pytest.mark.parametrize("step", WITH_FACTS, ids=lambda step: step.name)
def test_the_sample_run_has_facts_of_each_step(step: StepInfo) -> None:
    assert step.facts is not None
    assert set(FACTS.get(step.name, {})) <= {field.name for field in fields(step.facts)}


@pytest.mark.parametrize("step", WITH_FACTS, ids=lambda step: step.name)
def test_a_field_that_may_be_none_has_a_default_because_a_record_leaves_it_out(step: StepInfo) -> None:
    assert step.facts is not None
    optional = [field for field in fields(step.facts) if "None" in str(field.type)]
    assert [field.name for field in optional if field.default is MISSING] == []


def test_facts_are_read_as_they_were_written() -> None:
    events = EventFacts(3, 2, 1, "2024-01-01", None, {"view": 3}, {"price": 0.5})
    facts = ValidationFacts({"events": NewRows(3, 3, 0)}, events=events, days=DayFacts("2024-01-01", [3], []))
    assert read_facts(ValidationFacts, facts_document(facts)) == facts


def test_wrong_fields_count_as_absent_with_what_needs_them() -> None:
    document = {
        "new": {"events": {"rows": 3, "clean": 3, "quarantined": 0, "returns": "many"}, "items": {"rows": 1}},
        "events": {"rows": 3, "users": "many"},
        "days": 7,
        "tables": {"events": float("nan"), "items": 2},
        "quarantine": [{"rows": 1}, None],
        "of another version": 1,
    }
    expected = ValidationFacts({"events": NewRows(3, 3, 0)}, tables={"items": 2})
    assert read_facts(ValidationFacts, document) == expected


@pytest.mark.parametrize("document", [None, {}, [], 7, "x", {"rows": 3}])
def test_too_little_is_none(document: object) -> None:
    assert read_facts(EventFacts, document) is None
