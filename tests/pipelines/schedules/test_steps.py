"""The next step of a schedule's replacement, state by state."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pipelines.schedules.cron import Cron
from pipelines.schedules.planner import Create, Delete, Disable, Enable, RecurringRun, Wait, Wanted, next_step

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAILY, HOURLY = Cron("0 12 * * *", ZoneInfo("UTC")), Cron("0 * * * *", ZoneInfo("UTC"))
WANTED = Wanted("a", "new", True, DAILY)
OLD = RecurringRun("1", "a", "old", False, True, DAILY, NOON - timedelta(days=9), last_tick=NOON - timedelta(days=1))
NEW = RecurringRun("2", "a", "new", False, False, DAILY, NOON - timedelta(hours=2))
MORNING = NOON - timedelta(hours=1, minutes=30)
DISABLED = replace(OLD, enabled=False, updated=MORNING)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


@pytest.mark.parametrize(
    ("runs", "now", "step"),
    [
        ([], MORNING, Create(WANTED)),
        ([NEW], MORNING, Enable(NEW)),
        ([replace(NEW, enabled=True)], MORNING, None),
        ([OLD], MORNING, Create(WANTED)),
        ([OLD, NEW], MORNING, Disable(OLD)),
        ([DISABLED, NEW], MORNING, Delete(DISABLED)),
        ([OLD, replace(NEW, enabled=True)], MORNING, Disable(OLD)),
        ([NEW, replace(NEW, id="3")], MORNING, Delete(replace(NEW, id="3"))),
    ],
)
def test_a_replacement_goes_from_state_to_state(
    runs: list[RecurringRun], now: datetime, step: Create | Enable | Disable | Delete | None
) -> None:
    assert next_step([WANTED], runs, now, prune=False) == step


def test_nothing_is_disabled_just_before_a_tick_nor_until_it_was_started() -> None:
    for now in (NOON - seconds(10), NOON + seconds(30)):
        for runs in ([OLD], [OLD, NEW]):
            assert isinstance(next_step([WANTED], runs, now, prune=False), Wait)
    started = replace(OLD, last_tick=NOON)
    assert next_step([WANTED], [started], NOON + seconds(30), prune=False) == Create(WANTED)


def test_a_new_one_that_would_start_an_old_tick_again_is_made_again() -> None:
    started, now = replace(OLD, last_tick=NOON), NOON + seconds(30)
    assert next_step([WANTED], [started, NEW], now, prune=False) == Delete(NEW)
    disabled = replace(started, enabled=False, updated=now)
    assert next_step([WANTED], [disabled, NEW], now, prune=False) == Delete(NEW)
    settled = now + seconds(20)
    assert next_step([WANTED], [disabled], settled, prune=False) == Create(WANTED, NOON)


def test_a_new_one_whose_own_tick_went_by_while_the_old_one_was_in_charge_is_made_again() -> None:
    hourly, later = replace(NEW, cron=HOURLY), MORNING + timedelta(minutes=45)
    assert next_step([replace(WANTED, cron=HOURLY)], [OLD, hourly], later, prune=False) == Delete(hourly)


def test_a_tick_that_waits_behind_a_long_run_is_taken_over() -> None:
    now, last = NOON + seconds(90), OLD.last_tick
    assert next_step([WANTED], [OLD], now, prune=False) == Create(WANTED, last)
    taking_over = replace(NEW, start=last)
    assert next_step([WANTED], [OLD, NEW], now, prune=False) == Delete(NEW)
    assert next_step([WANTED], [OLD, taking_over], now, prune=False) == Disable(OLD)
    disabled = replace(OLD, enabled=False, updated=now)
    assert isinstance(next_step([WANTED], [disabled, taking_over], now + seconds(5), prune=False), Wait)
    assert next_step([WANTED], [disabled, taking_over], now + seconds(20), prune=False) == Delete(disabled)


def test_a_schedule_that_is_paused_is_replaced_at_once_and_owes_nothing() -> None:
    paused = replace(WANTED, enabled=False)
    assert next_step([paused], [OLD], NOON, prune=False) == Create(paused)
    assert next_step([paused], [OLD, replace(NEW, paused=True)], NOON, prune=False) == Disable(OLD)
    resting = replace(OLD, paused=True, enabled=False)
    assert next_step([WANTED], [resting], NOON, prune=False) == Create(WANTED)


def test_what_is_not_in_the_file_goes_only_if_pruned() -> None:
    assert next_step([], [OLD], MORNING, prune=False) is None
    assert next_step([], [OLD], MORNING, prune=True) == Disable(OLD)
    assert next_step([], [DISABLED], MORNING, prune=True) == Delete(DISABLED)


def test_a_schedule_without_an_enabled_run_comes_before_others() -> None:
    first, waiting = replace(WANTED, name="0"), replace(DISABLED, name="z")
    wanted = [first, replace(WANTED, name="z")]
    assert next_step(wanted, [waiting, replace(NEW, name="z")], MORNING, prune=False) == Delete(waiting)
