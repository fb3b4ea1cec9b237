"""The next call that brings KFP's recurring runs closer to the file; the states are drawn at the top of the package."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines.schedules.cron import Cron

MARGIN = timedelta(seconds=10)  # before a tick no schedule is disabled: the controller may be about to start it
PATIENCE = timedelta(seconds=60)  # a tick is started within the controller's 30 s, and reported soon after
SAME = "as in the file"
SETTLE = timedelta(seconds=20)  # after a schedule is disabled, until its last run is reported


@dataclass(frozen=True)
class Wanted:
    """A schedule of the file; ``content`` is the digest of all that a recurring run of it holds."""

    name: str
    content: str
    enabled: bool
    cron: Cron


@dataclass(frozen=True)
class RecurringRun:
    """A recurring run of ours, as KFP lists it."""

    id: str
    name: str
    content: str
    paused: bool  # by the file it was made from
    enabled: bool
    cron: Cron | None  # None: not an expression of ours
    created: datetime
    start: datetime | None = None
    updated: datetime | None = None
    last_tick: datetime | None = None  # the last one that it has started

    @property
    def beginning(self) -> datetime:
        """The moment after which KFP starts its ticks, if it has started none yet."""
        return self.start or self.created

    @property
    def done_until(self) -> datetime:
        """The moment after which its ticks are not started yet."""
        return max(self.beginning, self.last_tick) if self.last_tick else self.beginning

    def first_waiting(self, now: datetime) -> datetime | None:
        """Return the first tick that is due and has not been started, if there is one."""
        tick = self.cron.next(self.done_until) if self.cron else None
        return tick if tick and tick <= now else None


@dataclass(frozen=True)
class Create:
    """Create a schedule, disabled; ``start``: the moment after which it ticks, None for its creation."""

    wanted: Wanted
    start: datetime | None = None


@dataclass(frozen=True)
class Enable:
    """Enable a recurring run."""

    run: RecurringRun


@dataclass(frozen=True)
class Disable:
    """Disable a recurring run."""

    run: RecurringRun


@dataclass(frozen=True)
class Delete:
    """Delete a recurring run; the runs that it has started go on."""

    run: RecurringRun


@dataclass(frozen=True)
class Wait:
    """Change nothing of a schedule before a moment."""

    name: str
    until: datetime
    reason: str


Call = Create | Enable | Disable | Delete
Step = Call | Wait


def next_step(wanted: Iterable[Wanted], actual: Sequence[RecurringRun], now: datetime, prune: bool) -> Step | None:
    """Return the next call, or the shortest wait where none may be made now; None when nothing is left to do.

    A replacement that has begun is finished first: until then no recurring run of that schedule is enabled.
    """
    by_name = {one.name: one for one in wanted}
    names = sorted({run.name for run in actual} | set(by_name), key=lambda name: (not _in_gap(name, actual), name))
    steps = [_step(name, by_name.get(name), [run for run in actual if run.name == name], now, prune) for name in names]
    calls = [step for step in steps if step is not None and not isinstance(step, Wait)]
    waits = [step for step in steps if isinstance(step, Wait)]
    return calls[0] if calls else min(waits, key=lambda wait: wait.until, default=None)


def difference(wanted: Wanted | None, runs: Sequence[RecurringRun]) -> str:
    """Say in words how the recurring runs of one name differ from the file."""
    if wanted is None:
        return "not in the file"
    if not runs:
        return "missing"
    as_wanted = [(run.content, run.enabled) for run in runs] == [(wanted.content, wanted.enabled)]
    return SAME if as_wanted else "differs"


def _in_gap(name: str, actual: Sequence[RecurringRun]) -> bool:
    runs = [run for run in actual if run.name == name]
    return any(not run.paused for run in runs) and not any(run.enabled for run in runs)


def _step(name: str, wanted: Wanted | None, runs: list[RecurringRun], now: datetime, prune: bool) -> Step | None:
    if wanted is None:
        return _removal(runs) if prune else None
    same = [run for run in runs if run.content == wanted.content]
    new = min(same, key=lambda run: (not run.enabled, run.created, run.id), default=None)
    old = [run for run in runs if run != new]
    if new is None:
        return _creation(wanted, old, now)
    if wanted.enabled and not new.enabled:
        return _replacement(new, old, now)
    if new.enabled and not wanted.enabled:
        return Disable(new)
    return _removal(old)


def _removal(runs: list[RecurringRun]) -> Call | None:
    """Disable what is enabled, then delete."""
    ordered = sorted(runs, key=lambda run: (not run.enabled, run.created, run.id))
    return next((Disable(run) if run.enabled else Delete(run) for run in ordered), None)


def _creation(wanted: Wanted, old: list[RecurringRun], now: datetime) -> Step:
    """Create the new one: where ``old`` owes ticks that it will not start any more, with their beginning."""
    working = _working(old) if wanted.enabled else []
    if not working:
        return Create(wanted)
    if any(run.enabled for run in working):
        wait = _wait(wanted.name, working, now)
        return wait or Create(wanted, _done_until(working) if _is_stuck(working, now) else None)
    return _settling(wanted.name, working, now) or Create(wanted, _done_until(working))


def _replacement(new: RecurringRun, old: list[RecurringRun], now: datetime) -> Step:
    """Put a new one, which is disabled, in the place of the old ones."""
    working = _working(old)
    if any(run.enabled for run in working):
        wait = _wait(new.name, working, now)
        return wait or (Delete(new) if _is_stale(new, working, now) else _disabling(working))
    if any(run.last_tick and run.last_tick > new.beginning for run in working):
        return Delete(new)
    if any(run.cron and run.updated and run.cron.next(new.beginning) <= run.updated for run in working):
        return _settling(new.name, working, now) or _removal(old) or Enable(new)
    return _removal(old) or Enable(new)


def _disabling(runs: list[RecurringRun]) -> Disable:
    return Disable(next(run for run in runs if run.enabled))


def _working(runs: list[RecurringRun]) -> list[RecurringRun]:
    """Return those that tick, or ticked until their replacement began."""
    return [run for run in runs if run.enabled or not run.paused]


def _is_stale(new: RecurringRun, old: list[RecurringRun], now: datetime) -> bool:
    """Say whether a new one begins elsewhere than after the last tick that the old ones start."""
    if _is_stuck(old, now):
        return new.beginning != _done_until(old)
    return _is_too_early(new, old, now)


def _is_too_early(new: RecurringRun, old: list[RecurringRun], now: datetime) -> bool:
    """Say whether a new one would start what was due while the old ones were in charge."""
    crons = [run.cron for run in [new, *old] if run.cron]
    return any(cron.next(new.beginning) <= now for cron in crons)


def _done_until(old: list[RecurringRun]) -> datetime:
    return max(run.done_until for run in old)


def _is_stuck(old: list[RecurringRun], now: datetime) -> bool:
    waiting = (run.first_waiting(now) for run in old if run.enabled)
    return any(tick and tick + PATIENCE <= now for tick in waiting)


def _wait(name: str, old: list[RecurringRun], now: datetime) -> Wait | None:
    """Wait for a tick that is near, or due and not started yet, unless it is stuck."""
    for run in (run for run in old if run.enabled and run.cron):
        tick = run.first_waiting(now)
        if tick and tick + PATIENCE > now:
            return Wait(name, min(tick + PATIENCE, now + MARGIN), f"its tick of {tick:%H:%M} is being started")
        assert run.cron is not None
        if (coming := run.cron.next(now)) <= now + MARGIN:
            return Wait(name, coming, f"its tick of {coming:%H:%M} is near")
    return None


def _settling(name: str, old: list[RecurringRun], now: datetime) -> Wait | None:
    settled = max((run.updated or run.created) for run in old) + SETTLE
    return Wait(name, settled, "KFP may be starting its last tick") if now < settled else None
