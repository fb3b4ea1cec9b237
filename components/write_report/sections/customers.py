"""The section of example recommendations: the fact ``examples`` of the step that recommended them."""

from components.contracts.example_customers import CustomerExample
from components.write_report.facts import read_facts
from components.write_report.run_outline import Records


def customer_examples(records: Records) -> tuple[CustomerExample, ...]:
    """Return the examples of the last step that kept some; one that cannot be read is left out."""
    for record in reversed(list(records.values())):
        if examples := record.facts.get("examples"):
            return read_facts(tuple[CustomerExample, ...], examples) or ()
    return ()
