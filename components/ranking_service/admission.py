"""How much is let in: so many requests of one caller, and no more waiting ones than are answered in time."""

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar, cast

from starlette.exceptions import HTTPException

from components.ranking_service.settings import positive_number
from components.ranking_service.together import Steps, together

MOST_CALLERS = 10_000  # remembered at once; of more, those that asked longest ago start afresh
MOST_NAME = 64  # characters of a caller's name or address that tell it apart
FIRST_GUESS_SECONDS = 0.005
MOST_ROUND_SECONDS = 0.05  # of answers before the loop looks for news
MOST_TOGETHER = 8  # answers of a group: more would hardly cost less each, and the first waits for the last
LOOKS = 3  # turns of the loop between two rounds: what was received is read, then handled, then waits for its turn
NEW_SHARE = 0.05  # of the mean time of an answer: about the last 20 count

PER_SECOND = "RANKLOOP_REQUESTS_PER_SECOND"
BURST = "RANKLOOP_REQUESTS_AT_ONCE"
WAITING = "RANKLOOP_WAITING_MS"
Found = TypeVar("Found")


@dataclass(frozen=True)
class Limits:
    """What one caller may ask, and how long a request may wait for its turn.

    The rate only stops a caller that runs wild (a shop's whole web tier may share one key); what the machine cannot
    answer in time is shed.
    """

    per_second: float = 1000.0
    burst: float = 2000.0
    waiting_seconds: float = 0.25


def limits_from(variables: Mapping[str, str]) -> Limits:
    """Read the limits from environment variables.

    Raises:
        ConfigurationError: one is not a positive number.
    """
    standard = Limits()
    return Limits(
        positive_number(variables, PER_SECOND, standard.per_second),
        max(1.0, positive_number(variables, BURST, standard.burst)),
        positive_number(variables, WAITING, standard.waiting_seconds * 1000) / 1000,
    )


class Rates:
    """A token bucket for each caller, kept as the moment at which it is full again."""

    def __init__(self, limits: Limits) -> None:
        self._seconds_each = 1 / limits.per_second
        self._allowed_debt = (limits.burst - 1) * self._seconds_each
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def admit(self, caller: str, now: float | None = None) -> None:
        """Take one token of a caller's bucket.

        Raises:
            HTTPException: 429, with Retry-After: the bucket is empty.
        """
        now = time.monotonic() if now is None else now
        name = caller[:MOST_NAME]
        full_at = max(now, self._full_at.get(name, now))
        wait = full_at - now - self._allowed_debt
        if wait > 1e-9:
            raise _come_again(HTTPStatus.TOO_MANY_REQUESTS, "more requests than one caller may send", wait)
        self._full_at[name] = full_at + self._seconds_each
        self._full_at.move_to_end(name)
        if len(self._full_at) > MOST_CALLERS:
            self._full_at.popitem(last=False)


class Turn:
    """Has answers made in the order of arrival: at once for who comes alone, in groups for those who had to wait.

    The loop (one, for the whole life of this) runs between two rounds of answers, so that health checks are answered
    and the number waiting is exact. A round is a group; when the loop is busy (refusing a crowd, say), as many groups
    as take as long as all else took. By the mean of the answers lately it takes 50 ms at most.
    """

    def __init__(self, limits: Limits) -> None:
        self._budget = limits.waiting_seconds
        self._waiting: deque[_Place] = deque()
        self._round_ended = self._exited = 0.0
        self._is_running = False
        self._answer_seconds = FIRST_GUESS_SECONDS
        self.ahead = 0
        """Requests that wait or are being answered."""
        self.mean_seconds = FIRST_GUESS_SECONDS
        """Moving mean of the time from one answer to the next, or of the time of an answer when none waits."""
        self.shed = 0

    @property
    def has_room(self) -> bool:
        """Whether a request that came now would wait for no longer than the budget."""
        return self.ahead * self.mean_seconds <= self._budget

    def check(self) -> None:
        """Refuse a request that would wait for longer than the budget.

        Raises:
            HTTPException: 503, with Retry-After.
        """
        if not self.has_room:
            self.shed += 1
            found = f"{self.ahead} requests are waiting already"
            raise _come_again(HTTPStatus.SERVICE_UNAVAILABLE, found, self.ahead * self.mean_seconds)

    async def answer(self, steps: Steps[Found]) -> Found:
        """Make an answer when its turn has come.

        Raises:
            HTTPException: as ``check``.
        """
        self.check()
        loop = asyncio.get_running_loop()
        place = _Place(steps, time.perf_counter(), loop.create_future())
        self.ahead += 1
        if self._is_running:
            self._waiting.append(place)
        else:
            self._is_running = True
            try:
                self._make([place])
            finally:
                self._end_round(loop)
        try:
            return cast(Found, await place.outcome)
        finally:
            if place.outcome.cancelled():
                self.ahead -= 1

    def _make(self, group: "list[_Place]") -> None:
        """Make some answers together."""
        began = time.perf_counter()
        try:
            for place, found in zip(group, together([place.steps for place in group]), strict=True):
                place.tell(found)
        except BaseException as error:  # no answer's: nobody may wait for ever
            for place in group:
                place.tell(RuntimeError(f"no answer could be made ({type(error).__name__}: {error})"))
            raise
        finally:
            self.ahead -= len(group)
            self._note(len(group), group[0].entered, began, time.perf_counter())

    def _note(self, many: int, entered: float, began: float, ended: float) -> None:
        """Learn how long answers take from some that were made together."""
        share = 1 - (1 - NEW_SHARE) ** many
        self._answer_seconds += share * ((ended - began) / many - self._answer_seconds)
        self.mean_seconds += share * ((ended - max(self._exited, entered)) / many - self.mean_seconds)
        self._exited = ended

    def _make_round(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer a group of those who wait, or as many groups as fit into the time that all else took."""
        elsewhere = min(time.perf_counter() - self._round_ended, MOST_ROUND_SECONDS)
        most = max(1, min(MOST_TOGETHER, round(MOST_ROUND_SECONDS / self._answer_seconds)))
        many = max(most, round(elsewhere / self._answer_seconds))
        try:
            while many > 0 and (group := self._next(min(many, most))):
                self._make(group)
                many -= len(group)
        finally:
            self._end_round(loop)

    def _next(self, many: int) -> "list[_Place]":
        """Take the next that wait, without those who have left."""
        found: list[_Place] = []
        while self._waiting and len(found) < many:
            place = self._waiting.popleft()
            if not place.outcome.cancelled():
                found.append(place)
        return found

    def _end_round(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the loop send the answers, and hear who asks next, before the next round."""
        self._round_ended = time.perf_counter()
        self._look_round(loop, LOOKS)

    def _look_round(self, loop: asyncio.AbstractEventLoop, looks: int) -> None:
        if looks:
            loop.call_soon(self._look_round, loop, looks - 1)
        elif self._waiting:
            self._make_round(loop)
        else:
            self._is_running = False


@dataclass(frozen=True)
class _Place:
    """A place in the line; who leaves it cancels the outcome."""

    steps: Steps[Any]
    entered: float
    outcome: "asyncio.Future[Any]"

    def tell(self, found: Any) -> None:
        """Give the answer, or what went wrong, to who waits for it."""
        if self.outcome.done():
            return
        if isinstance(found, Exception):
            self.outcome.set_exception(found)
        else:
            self.outcome.set_result(found)


def _come_again(status: HTTPStatus, found: str, wait: float) -> HTTPException:
    seconds = max(1, math.ceil(wait))
    return HTTPException(status, f"{found}; come again in {seconds} s", {"Retry-After": str(seconds)})
