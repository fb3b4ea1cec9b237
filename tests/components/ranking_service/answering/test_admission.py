"""How much is let in: rates of callers, and turns."""

import asyncio
import time
from types import SimpleNamespace

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from components.ranking_service.answering import admission
from components.ranking_service.answering.admission import Rates, Turn, _Place
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
    rates.admit("x" * 10_000, now=0.0)
    assert all(len(name) <= admission.MOST_NAME for name in rates._full_at)


@pytest.fixture
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "time", SimpleNamespace(perf_counter=lambda: 0.0, monotonic=lambda: 0.0))


def answer(number: int, made: list[int]) -> Steps[int]:
    """An answer that nothing has to be scored for."""
    made.append(number)
    return number
    yield


def failing() -> Steps[int]:
    raise ValueError("bad")
    yield


@pytest.mark.usefixtures("no_time_passes")
def test_answers_are_made_in_order_and_the_loop_runs_between_rounds() -> None:
    async def all_of_them() -> tuple[list[int], list[int]]:
        turn, made, seen = Turn(Limits(waiting_seconds=9)), [], []
        turn._answer_seconds = admission.MOST_ROUND_SECONDS / 8  # of which a round holds as many as a group

        async def ask(number: int) -> int:
            return await turn.answer(answer(number, made))

        async def look() -> None:
            while len(made) < 20:
                seen.append(len(made))
                assert turn.ahead == (20 - len(made) if made else 0)
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(ask(number)) for number in range(20)]
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


def test_answers_made_together_share_the_time_that_they_took(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**6))  # a second a look
    monkeypatch.setattr(admission, "time", SimpleNamespace(perf_counter=lambda: float(next(clock))))

    async def some_wait() -> Turn:
        turn = Turn(Limits(waiting_seconds=1000))
        turn.mean_seconds = turn._answer_seconds = 0.001
        group = [_Place(answer(0, []), 100.0, asyncio.get_running_loop().create_future()) for _ in range(4)]
        turn.ahead, turn._exited = 4, 90.0
        turn._make(group)
        assert [await place.outcome for place in group] == [0] * 4
        return turn

    turn = asyncio.run(some_wait())
    share = 1 - (1 - admission.NEW_SHARE) ** 4
    assert turn.ahead == 0
    assert turn._answer_seconds == pytest.approx(0.001 + share * (1 / 4 - 0.001)), "one second for four"
    assert turn.mean_seconds == pytest.approx(0.001 + share * ((1 - 100) / 4 - 0.001)), "since they came"


@pytest.mark.usefixtures("no_time_passes")
def test_slow_answers_are_made_in_smaller_groups() -> None:
    assert groups_of(answer_seconds=0.001, waiting=20) == [1, 8, 8, 4]
    assert groups_of(answer_seconds=0.00625, waiting=12) == [1, 4, 4, 4]
    assert groups_of(answer_seconds=3.0, waiting=3) == [1, 1, 1, 1]


def groups_of(answer_seconds: float, waiting: int) -> list[int]:
    """How many answers are made at once, when some come while the first is made."""

    async def asked() -> list[int]:
        turn, groups = Turn(Limits(waiting_seconds=1000)), []
        make = turn._make

        def made(group: list[_Place]) -> None:
            groups.append(len(group))
            make(group)
            turn._answer_seconds = answer_seconds

        turn._make, turn._answer_seconds = made, answer_seconds  # type: ignore[method-assign]
        await asyncio.gather(*(turn.answer(answer(number, [])) for number in range(waiting + 1)))
        return groups

    return asyncio.run(asked())


def test_when_the_loop_is_busy_answers_get_as_long_as_all_else() -> None:
    async def busy() -> list[int]:
        turn, made, seen = Turn(Limits(waiting_seconds=1000)), [], []

        async def crowd() -> None:
            while len(made) < 60:
                seen.append(len(made))
                turn._answer_seconds = 0.001
                time.sleep(0.03)  # refusing, say
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
        tasks = [asyncio.create_task(turn.answer(answer(number, []))) for number in range(3)]
        make = turn._make

        def made(group: list[_Place]) -> None:
            make(group)
            tasks[2].cancel()

        turn._make = made  # type: ignore[method-assign]
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


@pytest.mark.usefixtures("no_time_passes")
def test_a_caller_pays_for_what_its_requests_cost() -> None:
    rates = Rates(Limits(per_second=10, burst=3))
    rates.admit("web")
    rates.charge("web", 21)
    rates.admit("partner")
    with pytest.raises(HTTPException) as refused:
        rates.admit("web")
    assert refused.value.headers == {"Retry-After": "2"}, "two seconds for twenty, less a burst of three"


@pytest.mark.usefixtures("no_time_passes")
def test_who_asks_for_little_is_answered_before_all_of_who_asks_for_much() -> None:
    async def asked() -> list[int]:
        turn, made = Turn(Limits(waiting_seconds=1000)), []
        turn._answer_seconds = admission.MOST_ROUND_SECONDS  # a group is one answer
        much = [turn.answer(answer(number, made), "much", cost=20) for number in range(5)]
        little = [turn.answer(answer(number, made), "little") for number in (100, 101)]
        await asyncio.gather(*much, *little)
        return made

    assert asyncio.run(asked()) == [0, 1, 100, 101, 2, 3, 4]


@pytest.mark.usefixtures("no_time_passes")
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


def test_other_work_waits_for_rounds_of_its_own_and_teaches_nothing_of_answers() -> None:
    async def asked() -> tuple[list[None], Turn, list[int]]:
        turn, groups = Turn(Limits(waiting_seconds=0.25)), []
        turn.mean_seconds = 10.0
        make = turn._make

        def made(group: list[_Place]) -> None:
            groups.append(len(group))
            make(group)

        turn._make = made  # type: ignore[method-assign]
        works = (turn.work(nothing_to_score(), "web", 2.0) for _ in range(10))
        return await asyncio.gather(*works), turn, groups

    found, turn, groups = asyncio.run(asked())
    assert (found, turn.mean_seconds, turn.shed, groups) == ([None] * 10, 10.0, 0, [1] * 10)
