"""KFP's recurring runs in memory: the calls of its API, and its controller, which starts ticks late."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from pipelines.schedules.cron import Cron
from pipelines.schedules.planner import Call, Create, Delete, Disable, Enable, RecurringRun, Wait
from pipelines.schedules.reconciliation import Listing

BEGINNING = datetime(2026, 3, 2, 4, 59, 17, tzinfo=UTC)
STARTED_WITHIN, REPORTED_WITHIN = 30.0, 10.0  # seconds: the controller's round, and the persistence agent's


class KilledError(Exception):
    """The process ended."""


@dataclass
class Scheduled:
    """A recurring run, and what only the controller knows of it."""

    id: str
    name: str
    content: str
    paused: bool
    cron: Cron
    created: datetime
    start: datetime | None
    updated: datetime
    catches_up: bool
    enabled: bool = False
    last: datetime | None = None
    active_until: datetime = BEGINNING
    started: list[tuple[datetime, datetime]] = field(default_factory=list)  # ticks, and when they are reported

    def due(self, now: datetime) -> datetime | None:
        """Return the tick that the controller starts next, as KFP chooses it."""
        tick = self.cron.next(self.last or self.start or self.created)
        while not self.catches_up and (later := self.cron.next(tick)) <= now:
            tick = later
        return tick if tick <= now else None


class MemoryKfp:
    """A scheduler whose clock stands still between calls; it is killed before or after one of its calls."""

    def __init__(self, seed: int, catches_up: bool) -> None:
        self.now, self.catches_up = BEGINNING, catches_up
        self.scheduled: dict[str, Scheduled] = {}
        self.calls_until_kill: int | None = None
        self.loses_answer = False
        self.ticks: list[tuple[str, datetime]] = []  # each that was started: the schedule's name, the tick
        self._random, self._ids = Random(seed), 0

    def listing(self) -> Listing:
        return Listing(self.now, [self._listed(one) for one in self.scheduled.values()])

    def perform(self, call: Call) -> None:
        if self.calls_until_kill == 0 and not self.loses_answer:
            raise KilledError
        self.advance(self._random.uniform(0.05, 2))
        self._change(call)
        if self.calls_until_kill == 0:
            raise KilledError
        if self.calls_until_kill is not None:
            self.calls_until_kill -= 1

    def wait(self, wait: Wait, now: datetime) -> None:
        self.advance(max(1.0, (wait.until - now).total_seconds()))

    def advance(self, seconds: float) -> None:
        """Let the controller work for some time."""
        end = self.now + timedelta(seconds=seconds)
        while event := min(self._events(end), default=None, key=lambda event: event[0]):
            self.now = max(self.now, event[0])
            self._start(event[1])
        self.now = end

    def _events(self, end: datetime) -> Iterator[tuple[datetime, Scheduled]]:
        for one in self.scheduled.values():
            first = one.cron.next(one.last or one.start or one.created)
            moment = max(first, one.active_until, one.updated) + timedelta(
                seconds=self._random.uniform(0, STARTED_WITHIN)
            )
            if one.enabled and moment <= end:
                yield moment, one

    def _start(self, one: Scheduled) -> None:
        tick = one.due(self.now)
        assert tick is not None
        one.last = tick
        one.started.append((tick, self.now + timedelta(seconds=self._random.uniform(0, REPORTED_WITHIN))))
        one.active_until = self.now + timedelta(seconds=self._random.choice((20, 50, 3000)))
        self.ticks.append((one.name, tick))

    def _change(self, call: Call) -> None:
        match call:
            case Create(wanted, start):
                self._ids += 1
                self.scheduled[str(self._ids)] = Scheduled(
                    str(self._ids),
                    wanted.name,
                    wanted.content,
                    not wanted.enabled,
                    wanted.cron,
                    self.now.replace(microsecond=0),
                    start,
                    self.now,
                    self.catches_up,
                )
            case Enable(run) | Disable(run):
                one = self.scheduled[run.id]
                one.enabled, one.updated = isinstance(call, Enable), self.now
                together = [other.id for other in self.scheduled.values() if other.name == run.name and other.enabled]
                assert len(together) <= 1, f"enabled at once: {together}"
            case Delete(run):
                assert not self.scheduled.pop(run.id).enabled

    def _listed(self, one: Scheduled) -> RecurringRun:
        ticks = [tick for tick, reported in one.started if reported <= self.now]
        return RecurringRun(
            one.id,
            one.name,
            one.content,
            one.paused,
            one.enabled,
            one.cron,
            one.created,
            one.start,
            one.updated,
            max(ticks, default=None),
        )
