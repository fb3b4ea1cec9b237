"""The planner against KFP's recurring runs in memory: any edits, killed between any two calls."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.schedules.cron import Cron
from pipelines.schedules.planner import Wanted
from pipelines.schedules.reconciliation import reconcile
from tests.pipelines.schedules.memory_kfp import KilledError, MemoryKfp

pytestmark = pytest.mark.slow(seconds=10)


@dataclass(frozen=True)
class Periodic(Cron):
    """An expression whose ticks are computed without a calendar: thousands of histories take seconds."""

    seconds: int
    offset: int = 0

    def next(self, moment: datetime) -> datetime:
        periods = (moment.timestamp() - self.offset) // self.seconds + 1
        return datetime.fromtimestamp(periods * self.seconds + self.offset, UTC)


ZONE = ZoneInfo("UTC")
WEEK, MONDAY_AT_5 = 604_800, 4 * 86_400 + 18_000
CRONS = [
    Periodic("* * * * *", ZONE, 60),
    Periodic("*/5 * * * *", ZONE, 300),
    Periodic("0 * * * *", ZONE, 3_600),
    Periodic("0 5 * * *", ZONE, 86_400, 18_000),
    Periodic("0 5 * * 1", ZONE, WEEK, MONDAY_AT_5),
]
HOURS = st.sampled_from((0, 1, 7, 31, 61, 301, 3_599, 3_601, 90_000))
KILLS = st.one_of(st.none(), st.tuples(st.integers(0, 4), st.booleans()))
EDITS = st.tuples(st.sampled_from(("content", "cron", "pause", "remove")), st.integers(0, 2), st.integers(0, 4))


@settings(max_examples=1_000, derandomize=True, deadline=None, database=None)
@given(st.integers(0, 2**32), st.booleans(), st.lists(st.tuples(EDITS, KILLS, HOURS), min_size=1, max_size=8))
def test_any_edits_and_kills_converge_without_a_doubled_tick(
    seed: int, catches_up: bool, edits: list[tuple[tuple[str, int, int], tuple[int, bool] | None, int]]
) -> None:
    kfp, wanted = MemoryKfp(seed, catches_up), dict[str, Wanted]()
    for edit, kill, seconds in edits:
        _edit(wanted, *edit)
        _apply(kfp, wanted, kill)
        kfp.advance(seconds)
    _apply(kfp, wanted, None)
    assert sorted((one.name, one.content, one.enabled) for one in kfp.scheduled.values()) == sorted(
        (one.name, one.content, one.enabled) for one in wanted.values()
    )
    assert len(kfp.ticks) == len(set(kfp.ticks))
    assert reconcile(list(wanted.values()), kfp, prune=True) == 0


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from(CRONS[:4]),
    st.booleans(),
    st.lists(st.tuples(KILLS, HOURS), min_size=1, max_size=8),
)
def test_every_tick_of_a_schedule_whose_content_changes_is_started_once(
    seed: int, cron: Cron, catches_up: bool, edits: list[tuple[tuple[int, bool] | None, int]]
) -> None:
    kfp = MemoryKfp(seed, catches_up)
    wanted = {"a": Wanted("a", "0", True, cron)}
    _apply(kfp, wanted, None)
    first = kfp.listing().runs[0].created
    for number, (kill, seconds) in enumerate(edits, 1):
        wanted["a"] = replace(wanted["a"], content=str(number))
        _apply(kfp, wanted, kill)
        kfp.advance(seconds)
        _apply(kfp, wanted, None)
        _check_ticks(kfp, cron, first)


def _check_ticks(kfp: MemoryKfp, cron: Cron, first: datetime) -> None:
    """Check that no tick was started twice or lost, and which one comes next; KFP itself skips some in an outage."""
    started, (last,) = sorted(tick for _, tick in kfp.ticks), kfp.listing().runs
    newest = max(started, default=first)
    due = _ticks(cron, first, newest)
    assert len(started) == len(set(started))
    assert not set(started) - set(due)
    if kfp.catches_up:
        assert started == due
    (one,) = kfp.scheduled.values()
    assert cron.next(one.last or last.beginning) == cron.next(newest)


def _ticks(cron: Cron, after: datetime, until: datetime) -> list[datetime]:
    ticks, tick = [], cron.next(after)
    while tick <= until:
        ticks.append(tick)
        tick = cron.next(tick)
    return ticks


def _apply(kfp: MemoryKfp, wanted: dict[str, Wanted], kill: tuple[int, bool] | None) -> None:
    kfp.calls_until_kill, kfp.loses_answer = kill or (None, False)
    with suppress(KilledError):
        reconcile(list(wanted.values()), kfp, prune=True)


def _edit(wanted: dict[str, Wanted], kind: str, number: int, value: int) -> None:
    name = "abc"[number]
    if kind == "remove":
        wanted.pop(name, None)
        return
    one = wanted.get(name) or Wanted(name, "", True, CRONS[value])
    cron = CRONS[value] if kind == "cron" else one.cron
    enabled = not one.enabled if kind == "pause" else one.enabled
    content = f"{cron.expression} {enabled} {value if kind == 'content' else one.content.rpartition(' ')[2]}"
    wanted[name] = Wanted(name, content, enabled, cron)
