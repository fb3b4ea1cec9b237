"""A fair line: whose turn is next."""

import asyncio

import pytest

from components.ranking_service.answering import fair_queue as lines
from components.ranking_service.answering.fair_queue import FairLine, FairLock


def taken(line: FairLine[str], many: int) -> list[str]:
    return [line.pop() for _ in range(many)]


def test_places_of_one_caller_keep_their_order() -> None:
    line: FairLine[str] = FairLine()
    for place in "abc":
        line.append(place, "web", 1.0 if place == "b" else 9.0)
    assert (taken(line, 3), len(line), line.cost, line.cost_of) == (["a", "b", "c"], 0, 0.0, {})


def test_callers_get_equal_shares_of_the_work_not_of_the_places() -> None:
    line: FairLine[str] = FairLine()
    for _ in range(20):
        line.append("heavy", "much", 4.0)
        line.append("light", "little", 1.0)
    assert taken(line, 20).count("light") == 16


def test_a_caller_that_was_away_saves_nothing_up() -> None:
    line: FairLine[str] = FairLine()
    for _ in range(10):
        line.append("a", "one", 1.0)
    taken(line, 6)
    for _ in range(4):
        line.append("b", "late", 1.0)
    assert sorted(taken(line, 4)) == ["a", "a", "b", "b"]


def test_only_so_many_callers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_ENDS", 3)
    line: FairLine[str] = FairLine()
    line.append("last", "patient", 1000.0)
    line.append("last", "patient", 1.0)  # stays to the end, so that the line is never empty
    line.pop()
    for number in range(10):
        line.append("x", f"caller {number}", 1.0)
        line.append("x", "busy", 2.0)
        taken(line, 2)
    assert line.remembered <= 4


def test_a_lock_lets_one_in_at_a_time_and_callers_by_turns() -> None:
    order, inside = list[str](), list[str]()

    async def work(lock: FairLock, caller: str) -> None:
        async with lock.held(caller, 1.0):
            inside.append(caller)
            assert len(inside) == 1
            await asyncio.sleep(0)
            order.append(inside.pop())

    async def crowd() -> float:
        lock = FairLock()
        await asyncio.gather(*(work(lock, caller) for caller in ("much", "much", "much", "much", "little")))
        return lock.waiting

    assert asyncio.run(crowd()) == 0.0
    assert order == ["much", "much", "little", "much", "much"]


@pytest.mark.parametrize("leaves", ["while it waits", "when its turn has come"])
def test_who_leaves_a_lock_is_passed_over(leaves: str) -> None:
    async def crowd() -> bool:
        lock, entered = FairLock(), asyncio.Event()

        async def enter() -> None:
            async with lock.held("a", 1.0):
                entered.set()

        async with lock.held("a", 1.0):
            gone, stays = asyncio.create_task(enter()), asyncio.create_task(enter())
            await asyncio.sleep(0)
            if leaves == "while it waits":
                gone.cancel()
        if leaves == "when its turn has come":
            gone.cancel()
        await asyncio.gather(gone, stays, return_exceptions=True)
        async with lock.held("a", 1.0):
            return gone.cancelled() and entered.is_set()

    assert asyncio.run(crowd())
