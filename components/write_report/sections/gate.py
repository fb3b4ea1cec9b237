"""The section on the gate: each condition with its reason, those that do not hold first."""

from dataclasses import dataclass

from components.contracts.verdict import Verdict
from components.write_report import formats

_TITLES = {
    "enough_data": "Enough data to train on",
    "evidence": "Enough customers to judge on",
    "purchases": "Rests on purchases",
    "lists": "Lists hold something, in an order",
    "hits": "Lists hold what was bought",
    "rival": "A simple rule to be better than",
    "superiority": "Better than the best simple rule",
    "non_inferiority": "Not worse than what is live",
    "slices": "No group of customers loses",
    "coverage": "Enough of the catalogue is shown",
    "latency": "Fast enough",
    "leak_times": "Learned only from before the held-out weeks",
    "leak_overlap": "No request is both learned from and judged on",
    "leak_future": "Blind to the future",
    "leak_constant_gain": "Relies on what tells items apart",
    "leak_label_shuffle": "Learns nothing from shuffled outcomes",
}


@dataclass(frozen=True)
class Condition:
    """One condition of the gate."""

    title: str
    passed: bool
    reason: str


def conditions(verdict: Verdict | None) -> tuple[Condition, ...]:
    """Return the gate's conditions in words; none before it was reached."""
    if verdict is None:
        return ()
    checks = sorted(verdict.checks, key=lambda check: check.passed)
    return tuple(
        Condition(_TITLES.get(check.name, formats.title(check.name)), check.passed, formats.sentence(check.reason))
        for check in checks
    )
