"""The section of example recommendations."""

from dataclasses import dataclass

from components.contracts.errors import RankloopError
from components.contracts.recommendations import CustomerExample, examples_from_facts
from components.contracts.shop import Shop
from components.write_report.example_lists import example_lists
from components.write_report.run_outline import Records


@dataclass(frozen=True)
class Customers:
    """Example lists; ``absent`` says why there are none."""

    examples: tuple[CustomerExample, ...]
    absent: str = "No example lists were made in this run."


def customer_examples(records: Records, shop: Shop) -> Customers:
    """Return the examples that a step kept, or recommend with what the run left; none where neither can be."""
    for record in reversed(list(records.values())):
        found = record.facts.get("examples")
        if isinstance(found, list) and found:
            return Customers(tuple(example for each in found for example in _readable(each)))
    try:
        return Customers(example_lists(records, shop))
    except (RankloopError, OSError) as error:
        return Customers((), f"No example lists could be made: {error}.")


def _readable(found: object) -> tuple[CustomerExample, ...]:
    if not isinstance(found, dict):
        return ()
    try:
        return examples_from_facts([found])
    except (KeyError, TypeError):
        return ()
