"""Example recommendations on their way from a step's facts to the report."""

from components.contracts.example_customers import (
    CustomerExample,
    PastItem,
    RecommendedItem,
    examples_as_facts,
)
from components.home.runs.step_records import StepRecord
from components.write_report.facts import read_facts
from components.write_report.sections.customers import customer_examples

ITEM = RecommendedItem(1, "i1", "Tea", 0.5, ("bought twice", "best seller"), price=2.5, new_to_customer=False)
EXAMPLE = CustomerExample("u1", "3 trips", (PastItem("i1", "Tea", 2, "2025-05-01"),), (ITEM,))


def test_examples_survive_the_way_through_facts() -> None:
    assert read_facts(tuple[CustomerExample, ...], examples_as_facts([EXAMPLE])) == (EXAMPLE,)


def test_examples_of_the_last_step_are_shown_and_broken_ones_left_out() -> None:
    first = StepRecord("train_ranker", "done", facts={"examples": [{"user_id": "other"}]})
    facts = {"examples": [*examples_as_facts([EXAMPLE]), {"no": "user"}, 3]}
    last = StepRecord("publish_bundle", "done", facts=facts)
    assert customer_examples({"train_ranker": first, "publish_bundle": last}) == (EXAMPLE,)
    assert customer_examples({}) == ()
