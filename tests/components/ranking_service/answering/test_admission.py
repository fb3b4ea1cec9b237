"""How much is let in: rates of callers, and turns."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from components.ranking_service.answering import admission
from components.ranking_service.answering.admission import Rates, Turn
from components.ranking_service.answering.together import Steps, nothing_to_score
from components.ranking_service.settings import Limits


def test_a_caller_may_send_a_burst_and_then_its_rate() -> None:
    rates = Rates(Limits(per_second=10, burst=3))
    for _ in range(3):
        rates.admit("web", now=100.0)
    with pytest.raises(HTTPException) as refused:
        rates.admit("web", now=100.0)
    assert (refused.value.status_code, refused.value.headers) == (429, {"Retry-After": "1"})
    rates.admit("partner", now=100.0)
    rates.admit("web", now=100.1)
    with pytest.raises(HTTPException):
        rates.admit("web", now=100.1)
    for _ in range(3):
        rates.admit("web", now=200.0)


def test_a_slow_rate_says_when_to_come_again() -> None:
    rates = Rates(Limits(per_second=0.1, burst=1))
    rates.admit("web", now=0.0)
    with pytest.raises(HTTPException) as refused:
        rates.admit("web", now=3.5)
    assert refused.value.headers == {"Retry-After": "7"}


def test_only_so_many_callers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MOST_CALLERS", 2)
    rates = Rates(Limits(per_second=0.1, burst=1))
    for caller in ("a", "b", "c"):
        rates.admit(caller, now=0.0)
    rates.admit("a", now=0.0)
    with pytest.raises(HTTPException):
        rates.admit("c", now=0.0)


def test_a_caller_is_known_by_so_many_characters() -> None:
    rates = Rates(Limits(per_second=0.1, burst=1))
    rates.admit("x" * admission.MOST_NAME + "y" * 10_000, now=0.0)
    with pytest.raises(HTTPException):
        rates.admit("x" * admission.MOST_NAME + "z", now=0.0)


class Clock:
    """The time that admission sees; it passes only when a test lets it."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    monotonic = perf_counter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(admission, "time", clock)
    return clock


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many answers were made at once, each time."""
    sizes: list[int] = []
    together = admission.together

    def counted(group: Sequence[Steps[Any]]) -> list[Any]:
        sizes.append(len(group))
        return together(group)

    monkeypatch.setattr(admission, "together", counted)
    return sizes


def answer(number: int, made: list[int]) -> Steps[int]:
    """An answer that nothing has to be scored for."""
    made.append(number)
    return number
    yield


def lasting(seconds: float, clock: Clock) -> Steps[None]:
    """An answer that takes some time."""
    clock.now += seconds
    return None
    yield


async def taught(seconds: float, clock: Clock) -> Turn:
    """A turn that has learned how long its answers take."""
    turn = Turn(Limits(waiting_seconds=1000))
    for _ in range(300):
        await turn.answer(lasting(seconds, clock))
    for _ in range(admission.LOOKS + 1):  # then nothing runs any more
        await asyncio.sleep(0)
    return turn


def failing() -> Steps[int]:
    raise ValueError("bad")
    yield


def test_answers_are_made_in_order_and_the_loop_runs_between_rounds(clock: Clock) -> None:
    async def all_of_them() -> tuple[list[int], list[int]]:
        turn, made, seen = await taught(admission.MOST_ROUND_SECONDS / 8, clock), [], []  # a round holds a group

        async def look() -> None:
            while len(made) < 20:
                seen.append(len(made))
                assert turn.ahead == (20 - len(made) if made else 0)
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(turn.answer(answer(number, made))) for number in range(20)]
        await asyncio.gather(look(), *tasks)
        assert [task.result() for task in tasks] == list(range(20))
        assert turn.ahead == 0
        return made, seen

    made, seen = asyncio.run(all_of_them())
    assert made == list(range(20))
    assert set(seen) - {0} == {1, 9, 17}, "the first alone, those who had to wait eight at a time"


def test_what_would_wait_for_too_long_is_shed_at_once() -> None:
    async def crowd() -> tuple[list[object], Turn]:
        turn = Turn(Limits(waiting_seconds=0.25))
        turn.mean_seconds = 0.1
        asked = (turn.answer(answer(number, [])) for number in range(10))
        return await asyncio.gather(*asked, return_exceptions=True), turn

    found, turn = asyncio.run(crowd())
    assert found[:4] == [0, 1, 2, 3]  # one at once, three after a wait
    assert [refused.status_code for refused in found[4:] if isinstance(refused, HTTPException)] == [503] * 6
    assert (turn.shed, turn.ahead) == (6, 0)
    assert turn.mean_seconds < 0.1


def test_a_slow_answer_never_closes_an_idle_service() -> None:
    async def alone() -> None:
        turn = Turn(Limits(waiting_seconds=0.25))
        turn.mean_seconds = 60.0

        def slow() -> Steps[None]:
            assert not turn.has_room
            with pytest.raises(HTTPException) as refused:
                turn.check()
            assert refused.value.headers == {"Retry-After": "60"}
            return None
            yield

        assert turn.has_room
        await turn.answer(slow())
        assert turn.has_room
        assert turn.mean_seconds < 60.0

    asyncio.run(alone())


def test_answers_made_together_share_the_time_that_they_took(clock: Clock, groups: list[int]) -> None:
    async def some_wait() -> tuple[Turn, float]:
        turn = await taught(0.001, clock)
        groups.clear()
        before = turn.mean_seconds
        await asyncio.gather(*(turn.answer(lasting(0.002, clock)) for _ in range(1 + 4)))
        return turn, before

    turn, before = asyncio.run(some_wait())
    assert groups == [1, 4]
    alone = before + admission.NEW_SHARE * (0.002 - before)
    share = 1 - (1 - admission.NEW_SHARE) ** 4
    assert turn.mean_seconds == pytest.approx(alone + share * (0.008 / 4 - alone)), "since the one before them"


@pytest.mark.parametrize(
    ("answer_seconds", "waiting", "expected"),
    [(0.001, 20, [1, 8, 8, 4]), (0.0063, 12, [1, 4, 4, 4]), (3.0, 3, [1, 1, 1, 1])],
)
def test_slow_answers_are_made_in_smaller_groups(
    clock: Clock, groups: list[int], answer_seconds: float, waiting: int, expected: list[int]
) -> None:
    async def asked() -> None:
        turn = await taught(answer_seconds, clock)
        groups.clear()
        await asyncio.gather(*(turn.answer(lasting(answer_seconds, clock)) for _ in range(waiting + 1)))

    asyncio.run(asked())
    assert groups == expected


def test_when_the_loop_is_busy_answers_get_as_long_as_all_else(clock: Clock) -> None:
    async def busy() -> list[int]:
        turn, made, seen = await taught(0.001, clock), [], []

        async def crowd() -> None:
            while len(made) < 60:
                seen.append(len(made))
                clock.now += 0.03  # refusing, say
                await asyncio.sleep(0)

        await asyncio.gather(crowd(), *(turn.answer(answer(number, made)) for number in range(60)))
        return seen

    assert max(np.diff(asyncio.run(busy()))) > admission.MOST_TOGETHER


def test_what_no_answer_may_raise_stops_nobody_else() -> None:
    class Panic(BaseException):
        pass

    def panicking() -> Steps[int]:
        raise Panic("a library gave up")
        yield

    async def one_panics() -> None:
        turn = Turn(Limits())
        with pytest.raises(Panic):
            await turn.answer(panicking())
        assert await asyncio.wait_for(turn.answer(answer(7, [])), 30) == 7
        assert turn.ahead == 0

    asyncio.run(one_panics())


def test_who_leaves_once_the_answer_is_made_is_counted_once() -> None:
    async def too_late() -> None:
        turn = Turn(Limits())

        def leaving() -> Steps[int]:
            asyncio.get_running_loop().call_soon(tasks[2].cancel)  # before its task is told
            return 1
            yield

        tasks = [asyncio.create_task(turn.answer(steps)) for steps in (answer(0, []), leaving(), answer(2, []))]
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert found[:2] == [0, 1]
        assert isinstance(found[2], asyncio.CancelledError)
        assert turn.ahead == 0

    asyncio.run(too_late())


def test_who_leaves_the_queue_holds_up_nobody() -> None:
    async def some_leave() -> None:
        turn, made = Turn(Limits(waiting_seconds=9)), []
        tasks = [asyncio.create_task(turn.answer(answer(number, made))) for number in range(6)]
        await asyncio.sleep(0)
        for number in (2, 3):
            tasks[number].cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(one, asyncio.CancelledError) for one in found] == [False] * 2 + [True] * 2 + [False] * 2
        assert (made, turn.ahead) == ([0, 1, 4, 5], 0)

    asyncio.run(some_leave())


def test_an_answer_that_fails_fails_alone() -> None:
    async def one_fails() -> None:
        turn, made = Turn(Limits()), []
        with pytest.raises(ValueError, match="bad"):
            await turn.answer(failing())
        several = (answer(0, made), answer(1, made), failing(), answer(3, made))
        *found, last = await asyncio.gather(*map(turn.answer, several), return_exceptions=True)
        assert (found[:2], last, turn.ahead) == ([0, 1], 3, 0)
        assert isinstance(found[2], ValueError)

    asyncio.run(one_fails())


@pytest.mark.usefixtures("clock")
def test_a_caller_pays_for_what_its_requests_cost() -> None:
    rates = Rates(Limits(per_second=10, burst=3))
    rates.admit("web")
    rates.charge("web", 21)
    rates.admit("partner")
    with pytest.raises(HTTPException) as refused:
        rates.admit("web")
    assert refused.value.headers == {"Retry-After": "2"}, "two seconds for twenty, less a burst of three"


def test_who_asks_for_little_is_answered_before_all_of_who_asks_for_much(clock: Clock) -> None:
    async def asked() -> list[int]:
        turn, made = await taught(admission.MOST_ROUND_SECONDS, clock), []  # a group is one answer
        much = [turn.answer(answer(number, made), "much", cost=20) for number in range(5)]
        little = [turn.answer(answer(number, made), "little") for number in (100, 101)]
        await asyncio.gather(*much, *little)
        return made

    assert asyncio.run(asked()) == [0, 1, 100, 101, 2, 3, 4]


@pytest.mark.usefixtures("clock")
def test_callers_are_shed_by_their_own_lines() -> None:
    async def asked() -> list[object]:
        turn = Turn(Limits(waiting_seconds=0.25))
        turn.mean_seconds = 0.01
        much = [turn.answer(answer(number, []), "much", cost=20) for number in range(5)]
        little = [turn.answer(answer(number, []), "little") for number in range(5)]
        return await asyncio.gather(*much, *little, return_exceptions=True)

    found = asyncio.run(asked())
    assert [isinstance(one, HTTPException) for one in found] == [False] * 3 + [True] * 2 + [False] * 5


def test_a_crowd_of_callers_waits_for_no_longer_than_the_budget_either() -> None:
    async def asked() -> list[object]:
        turn = Turn(Limits(waiting_seconds=0.25))
        turn.mean_seconds = 0.1
        crowd = (turn.answer(answer(number, []), f"caller {number}") for number in range(10))
        return await asyncio.gather(*crowd, return_exceptions=True)

    assert [isinstance(one, HTTPException) for one in asyncio.run(asked())] == [False] * 4 + [True] * 6


def test_other_work_waits_for_rounds_of_its_own_and_teaches_nothing_of_answers(groups: list[int]) -> None:
    async def asked() -> tuple[list[None], Turn]:
        turn = Turn(Limits(waiting_seconds=0.25))
        turn.mean_seconds = 10.0
        works = (turn.work(nothing_to_score(), "web", 2.0) for _ in range(10))
        return await asyncio.gather(*works), turn

    found, turn = asyncio.run(asked())
    assert (found, turn.mean_seconds, turn.shed, groups) == ([None] * 10, 10.0, 0, [1] * 10)
