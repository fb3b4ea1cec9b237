"""The section of example recommendations: the fact ``examples`` of the step that recommended them."""

from components.contracts.example_customers import CustomerExample, examples_from_facts
from components.write_report.run_outline import Records


def customer_examples(records: Records) -> tuple[CustomerExample, ...]:
    """Return the examples of the last step that kept some; one that cannot be read is left out."""
    for record in reversed(list(records.values())):
        found = record.facts.get("examples")
        if isinstance(found, list) and found:
            return tuple(example for each in found for example in _readable(each))
    return ()


def _readable(found: object) -> tuple[CustomerExample, ...]:
    if not isinstance(found, dict):
        return ()
    try:
        return examples_from_facts([found])
    except (KeyError, TypeError):
        return ()
