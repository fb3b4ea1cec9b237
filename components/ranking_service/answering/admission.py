"""How much is let in: so much of one caller, and no more waiting requests than are answered in time.

Requests differ in what they cost, and are counted by that (``costs``): a caller's rate, whose turn is next (``lines``)
and how long the wait will be.
"""

import asyncio
import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from starlette.exceptions import HTTPException

from components.ranking_service.answering.fair_queue import FairLine
from components.ranking_service.answering.together import Steps, together
from components.ranking_service.settings import Limits

MOST_CALLERS = 10_000  # remembered at once; of more, those that asked longest ago start afresh
MOST_NAME = 64  # characters of a caller's name or address that tell it apart
FIRST_GUESS_SECONDS = 0.005
MOST_ROUND_SECONDS = 0.025  # of answers before the loop looks for news
MOST_TOGETHER = 8  # answers of a group: more would hardly cost less each, and the first waits for the last
REFUSAL_SECONDS = 0.1  # of a caller beyond its rate: who asks again at once would only be refused at once
LOOKS = 3  # turns of the loop between two rounds: what was received is read, then handled, then waits for its turn
ABOUT = 0.5  # of a plain answer, by which a group may cost more
NEW_SHARE = 0.05  # of the mean time of an answer: about the last 20 count

Found = TypeVar("Found")


class Rates:
    """A token bucket for each caller, kept as the moment at which it is full again."""

    def __init__(self, limits: Limits) -> None:
        self._seconds_each = 1 / limits.per_second
        self._allowed_debt = (limits.burst - 1) * self._seconds_each
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def charge(self, caller: str, cost: float) -> None:
        """Take what a request that was let in costs beyond one; the caller's next ones wait for it."""
        name = caller[:MOST_NAME]
        self._full_at[name] = max(time.monotonic(), self._full_at.get(name, 0.0)) + (cost - 1) * self._seconds_each

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
    """Has answers made in a fair order: at once for who comes alone, in groups for those who had to wait.

    The loop (one, for the whole life of this) runs between two rounds of answers, so that health checks are answered
    and the number waiting is exact. A round is a group; when the loop is busy (refusing a crowd, say), as many groups
    as take as long as all else took. By the mean of the answers lately it takes 25 ms at most. Of several callers each
    gets as much of it as the others, and is shed by its own line.
    """

    def __init__(self, limits: Limits) -> None:
        self._budget = limits.waiting_seconds
        self._waiting: FairLine[_Place] = FairLine()
        self._round_ended = self._exited = 0.0
        self._is_running = False
        self._answer_seconds = FIRST_GUESS_SECONDS
        self.ahead = 0
        """Requests that wait or are being answered."""
        self.mean_seconds = FIRST_GUESS_SECONDS
        """Moving mean of the time from one answer to the next, or of the time of an answer when none waits; both for a
        cost of one."""
        self._making = 0.0  # what those cost that are being answered
        self.shed = 0

    @property
    def has_room(self) -> bool:
        """Whether a request that came last of all would wait for no longer than the budget."""
        return self._seconds(self._waiting.cost + self._making) <= self._budget

    def check(self, caller: str = "", cost: float = 1.0) -> None:
        """Refuse a request that would wait for longer than the budget.

        Raises:
            HTTPException: 503, with Retry-After.
        """
        wait = self._wait(caller, cost)
        if wait > self._budget:
            self.shed += 1
            raise _come_again(HTTPStatus.SERVICE_UNAVAILABLE, f"{self.ahead} requests are waiting already", wait)

    def _wait(self, caller: str, cost: float) -> float:
        """How long a request would wait: for what is before it in its own line, and for as much of each other caller.

        It is never longer than for all that is there.
        """
        lines = self._waiting.cost_of
        remaining_callers = len(lines) - (caller in lines)
        fair = (remaining_callers + 1) * lines.get(caller, 0.0) + remaining_callers * cost
        return self._seconds(self._making + min(self._waiting.cost, fair))

    def _seconds(self, cost: float) -> float:
        return cost * self.mean_seconds

    async def answer(self, steps: Steps[Found], caller: str = "", cost: float = 1.0) -> Found:
        """Make an answer when its turn has come.

        Raises:
            HTTPException: as ``check``.
        """
        self.check(caller, cost)
        return await self._made(_Place(steps, time.perf_counter(), _future(), cost), caller)

    async def work(self, steps: Steps[Found], caller: str, cost: float) -> Found:
        """Do something else than answering when its turn has come, in a round of its own; it is never shed.

        What its caller does next is its work too: the loop does that before the next round.
        """
        return await self._made(_Place(steps, time.perf_counter(), _future(), cost, is_answer=False), caller)

    async def _made(self, place: "_Place", caller: str) -> Any:
        loop = asyncio.get_running_loop()
        self.ahead += 1
        if self._is_running:
            self._waiting.append(place, caller, place.cost)
        else:
            self._is_running = True
            try:
                self._make([place])
            finally:
                self._end_round(loop)
        try:
            return await place.outcome
        finally:
            if place.outcome.cancelled():
                self.ahead -= 1

    def _make(self, group: "list[_Place]") -> None:
        """Make some answers together."""
        began, self._making = time.perf_counter(), sum(place.cost for place in group)
        try:
            for place, found in zip(group, together([place.steps for place in group]), strict=True):
                place.tell(found)
        except BaseException as error:  # no answer's: nobody may wait for ever
            for place in group:
                place.tell(RuntimeError(f"no answer could be made ({type(error).__name__}: {error})"))
            raise
        finally:
            self.ahead -= len(group)
            if group[0].is_answer:
                self._note(len(group), group[0].entered, began, time.perf_counter())
            self._making = 0.0

    def _note(self, many: int, entered: float, began: float, ended: float) -> None:
        """Learn how long answers take from some that were made together."""
        share, cost = 1 - (1 - NEW_SHARE) ** many, self._making
        self._answer_seconds += share * ((ended - began) / cost - self._answer_seconds)
        self.mean_seconds += share * ((ended - max(self._exited, entered)) / cost - self.mean_seconds)
        self._exited = ended

    def _make_round(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer a group of those who wait, or as many groups as fit into the time that all else took."""
        elsewhere = min(time.perf_counter() - self._round_ended, MOST_ROUND_SECONDS)
        round_limit = MOST_ROUND_SECONDS / self._answer_seconds
        todo = max(min(MOST_TOGETHER, round_limit), elsewhere / self._answer_seconds)
        try:
            while todo > 0 and (group := self._next(min(todo, round_limit))):
                self._make(group)
                todo -= sum(place.cost for place in group) if group[0].is_answer else todo
        finally:
            self._end_round(loop)

    def _next(self, limit: float) -> "list[_Place]":
        """Take the next that wait, without those who have left: a group of about so much, or one of more."""
        found: list[_Place] = []
        while self._waiting and len(found) < MOST_TOGETHER:
            first = self._waiting.first
            if found and not (first.is_answer and found[0].is_answer and first.cost <= limit + ABOUT):
                break
            place = self._waiting.pop()
            if not place.outcome.cancelled():
                found.append(place)
                limit -= place.cost
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


@dataclass(slots=True, eq=False)
class _Place:
    """A place in the line; who leaves it cancels the outcome."""

    steps: Steps[Any]
    entered: float
    outcome: "asyncio.Future[Any]"
    cost: float = 1.0
    is_answer: bool = True

    def tell(self, found: Any) -> None:
        """Give the answer, or what went wrong, to who waits for it."""
        if self.outcome.done():
            return
        if isinstance(found, Exception):
            self.outcome.set_exception(found)
        else:
            self.outcome.set_result(found)


def _future() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


def _come_again(status: HTTPStatus, found: str, wait: float) -> HTTPException:
    seconds = max(1, math.ceil(wait))
    return HTTPException(status, f"{found}; come again in {seconds} s", {"Retry-After": str(seconds)})
