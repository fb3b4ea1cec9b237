"""A circuit breaker: calls that keep failing are stopped for a while, so that no request waits for them in vain."""

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
        self._limit, self._seconds, self._clock = failures, seconds, clock
        self._failures = 0
        self._next_try = 0.0
        self.state = State.CLOSED

    def allows(self) -> bool:
        """Whether a call may be made now; its outcome must then be reported."""
        if self.state is State.CLOSED:
            return True
        if self._clock() < self._next_try:
            return False
        self.state = State.TRYING
        self._next_try = self._clock() + self._seconds
        return True

    def succeeded(self) -> None:
        """Report a call that succeeded: all may go through again."""
        self.state, self._failures = State.CLOSED, 0

    def failed(self) -> None:
        """Report a call that failed."""
        self._failures += 1
        if self._failures >= self._limit:
            self.state = State.OPEN
            self._next_try = self._clock() + self._seconds
