"""A circuit breaker: what fails again and again is left alone for a while, so that it costs no request its deadline."""

import time
from collections.abc import Callable
from enum import IntEnum


class State(IntEnum):
    """Whether calls go through; as a number for metrics."""

    CLOSED = 0
    OPEN = 1
    TRYING = 2


class Breaker:
    """Opens after ``failures`` in a row; then lets one call try each ``seconds``. For one thread."""

    def __init__(self, failures: int = 3, seconds: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds, self._clock = failures, seconds, clock
        self._failures = 0
        self._next_try = 0.0
        self.state = State.CLOSED

    def allows(self) -> bool:
        """Whether a call may be made now; whoever is told yes must say how it ended."""
        if self.state is State.CLOSED:
            return True
        if self._clock() < self._next_try:
            return False
        self.state = State.TRYING
        self._next_try = self._clock() + self._seconds
        return True

    def succeeded(self) -> None:
        """A call went well: all may go through again."""
        self.state, self._failures = State.CLOSED, 0

    def failed(self) -> None:
        """A call failed."""
        self._failures += 1
        if self._failures >= self._most:
            self.state = State.OPEN
            self._next_try = self._clock() + self._seconds
