"""List, plan and call, until KFP's recurring runs are what the file says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from components.contracts.errors import RankloopError
from pipelines.schedules.planner import Call, RecurringRun, Step, Wait, Wanted, next_step

MOST_STEPS = 2_000


class ScheduleError(RankloopError):
    """Recurring runs cannot be made what the file says."""


@dataclass(frozen=True)
class Listing:
    """Our recurring runs, and KFP's clock when they were listed."""

    now: datetime
    runs: Sequence[RecurringRun]


class Scheduler(Protocol):
    """What is needed of KFP; each method is one call or a few reads."""

    def listing(self) -> Listing:
        """Return all recurring runs of this owner."""

    def perform(self, call: Call) -> None:
        """Create, enable, disable or delete one."""

    def wait(self, wait: Wait, now: datetime) -> None:
        """Let time pass."""


def reconcile(
    wanted: Sequence[Wanted], scheduler: Scheduler, prune: bool, say: Callable[[Step], None] = lambda step: None
) -> int:
    """Make the recurring runs what is wanted; return how many calls that took. It may be interrupted at any point.

    Raises:
        ScheduleError: something else changes them all the time.
    """
    calls = 0
    for _ in range(MOST_STEPS):
        listing = scheduler.listing()
        step = next_step(wanted, listing.runs, listing.now, prune)
        if step is None:
            return calls
        say(step)
        if isinstance(step, Wait):
            scheduler.wait(step, listing.now)
        else:
            scheduler.perform(step)
            calls += 1
    raise ScheduleError("something else changes the same recurring runs again and again; apply one file at a time")
