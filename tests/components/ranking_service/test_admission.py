"""How much is let in: rates of callers, and turns."""

import asyncio

import pytest
from starlette.exceptions import HTTPException

from components.contracts.errors import ConfigurationError
from components.ranking_service import admission
from components.ranking_service.admission import Limits, Rates, Turn, limits_from


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


def test_turns_are_taken_one_at_a_time_in_order_while_others_run() -> None:
    async def all_of_them() -> tuple[list[int], int]:
        turn, order, ticks = Turn(Limits(waiting_seconds=9)), [], 0

        async def answer(number: int) -> None:
            nonlocal ticks
            async with turn:
                order.append(number)
                assert turn.ahead == (20 - number if number else 1)  # who came first, and alone, did not wait
                asyncio.get_running_loop().call_soon(tick)

        def tick() -> None:
            nonlocal ticks
            ticks = max(ticks, len(order))

        await asyncio.gather(*(answer(number) for number in range(20)))
        assert turn.ahead == 0
        return order, ticks

    order, seen_between = asyncio.run(all_of_them())
    assert order == list(range(20))
    assert seen_between == 20


def test_what_would_wait_for_too_long_is_shed_at_once() -> None:
    async def crowd() -> tuple[list[object], Turn]:
        turn = Turn(Limits(waiting_seconds=0.25))
        turn.mean_seconds = 0.1

        async def answer() -> str:
            async with turn:
                return "answered"

        return await asyncio.gather(*(answer() for _ in range(10)), return_exceptions=True), turn

    found, turn = asyncio.run(crowd())
    assert found[:4] == ["answered"] * 4  # one at once, three after a wait
    assert [refused.status_code for refused in found[4:] if isinstance(refused, HTTPException)] == [503] * 6
    assert (turn.shed, turn.ahead) == (6, 0)
    assert turn.mean_seconds < 0.1


def test_a_slow_answer_never_closes_an_idle_service() -> None:
    async def alone() -> None:
        turn = Turn(Limits(waiting_seconds=0.25))
        turn.mean_seconds = 60.0
        assert turn.has_room
        async with turn:
            assert not turn.has_room
            with pytest.raises(HTTPException) as refused:
                turn.check()
            assert refused.value.headers == {"Retry-After": "60"}
        assert turn.mean_seconds < 60.0

    asyncio.run(alone())


def test_who_leaves_the_queue_holds_up_nobody() -> None:
    async def some_leave() -> None:
        turn, answered = Turn(Limits(waiting_seconds=9)), []

        async def answer(number: int) -> None:
            async with turn:
                answered.append(number)

        tasks = [asyncio.create_task(answer(number)) for number in range(6)]
        await asyncio.sleep(0)
        for number in (2, 3):
            tasks[number].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (answered, turn.ahead) == ([0, 1, 4, 5], 0)

    asyncio.run(some_leave())


def test_an_answer_that_fails_passes_the_turn_on() -> None:
    async def failing() -> None:
        turn = Turn(Limits())
        with pytest.raises(ValueError, match="bad"):
            async with turn:
                raise ValueError("bad")
        async with turn:
            assert turn.ahead == 1

    asyncio.run(failing())


def test_limits_come_from_variables() -> None:
    assert limits_from({}) == Limits()
    given = {"RANKLOOP_REQUESTS_PER_SECOND": "50", "RANKLOOP_REQUESTS_AT_ONCE": "5", "RANKLOOP_WAITING_MS": "100"}
    assert limits_from(given) == Limits(50, 5, 0.1)


@pytest.mark.parametrize("given", ["0", "-1", "nan", "inf", "many"])
def test_a_limit_that_is_no_positive_number_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError, match=f"RANKLOOP_WAITING_MS: found '{given}'"):
        limits_from({"RANKLOOP_WAITING_MS": given})
