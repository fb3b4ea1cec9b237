"""Admission: how much one caller may ask, and what a refusal says.

Requests differ in what they cost, and are counted by that (``costs``).
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus

from starlette.exceptions import HTTPException

from components.ranking_service.settings import Limits

CALLERS = 10_000  # remembered at once; the one that asked longest ago is forgotten first and starts with a full bucket
NAME_LENGTH = 64  # characters of a caller's name or address that tell it apart
REFUSAL_SECONDS = 0.1  # that a refusal is held back: a caller that repeats at once gains nothing


class Rates:
    """A token bucket for each caller, kept as the moment at which it is full again."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds_per_token = 1 / limits.per_second
        self._allowed_debt = (limits.burst - 1) * self._seconds_per_token
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._clock = clock

    def __len__(self) -> int:
        """Return how many callers are remembered."""
        return len(self._full_at)

    def charge(self, caller: str, cost: float) -> None:
        """Take what an admitted request costs beyond one token; the caller's next requests wait for it."""
        name = caller[:NAME_LENGTH]
        self._full_at[name] = max(self._clock(), self._full_at.get(name, 0.0)) + (cost - 1) * self._seconds_per_token

    def admit(self, caller: str) -> None:
        """Take one token of a caller's bucket.

        Raises:
            HTTPException: 429, with Retry-After: the bucket is empty.
        """
        now, name = self._clock(), caller[:NAME_LENGTH]
        full_at = max(now, self._full_at.get(name, now))
        wait = full_at - now - self._allowed_debt
        if wait > 1e-9:
            raise retry_later(HTTPStatus.TOO_MANY_REQUESTS, "more requests than one caller may send", wait)
        self._full_at[name] = full_at + self._seconds_per_token
        self._full_at.move_to_end(name)
        if len(self._full_at) > CALLERS:
            self._full_at.popitem(last=False)


def retry_later(status: HTTPStatus, found: str, wait: float) -> HTTPException:
    """Return a refusal that says what was found, and in how many seconds to ask again."""
    seconds = max(1, math.ceil(wait))
    return HTTPException(status, f"{found}; come again in {seconds} s", {"Retry-After": str(seconds)})
