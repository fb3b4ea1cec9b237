"""A breaker opens after three failures in a row, lets one call try each second, and closes when it went well."""

import pytest

from components.ranking_service.answering.breaker import Breaker, State


class Clock:
    """Stands where it is put."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock=clock)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        assert breaker.allows()
        breaker.failed()


def test_it_opens_after_three_failures_in_a_row(breaker: Breaker) -> None:
    fail(breaker, 2)
    assert breaker.allows()
    breaker.succeeded()
    fail(breaker, 2)
    assert breaker.state is State.CLOSED
    fail(breaker, 1)
    assert breaker.state is State.OPEN
    assert not breaker.allows()


def test_one_call_a_second_tries(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    for second in (1.0, 2.0, 3.0):
        clock.now = second - 0.01
        assert not breaker.allows()
        clock.now = second
        assert [breaker.allows() for _ in range(3)] == [True, False, False]
        assert breaker.state is State.TRYING
        breaker.failed()
        assert breaker.state is State.OPEN


def test_a_try_that_goes_well_closes_it_for_good(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now = 1.0
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.state is State.CLOSED
    fail(breaker, 2)
    assert breaker.allows(), "it counts from none again"


def test_a_try_that_never_ends_does_not_keep_it_shut(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now = 1.0
    assert breaker.allows()
    clock.now = 2.0
    assert breaker.allows()
