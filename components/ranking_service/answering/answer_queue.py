"""The queue of answers: made at once for a lone request, in groups for requests that had to wait, in a fair order.

One thread makes answers. Whose turn is next, when several callers wait, is decided by ``fair_queue``; how the answers
of a group are made, by ``batching``.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from components.ranking_service.answering.admission import retry_later
from components.ranking_service.answering.answers import Answer
from components.ranking_service.answering.batching import Prepare, answer_together
from components.ranking_service.answering.fair_queue import FairLine
from components.ranking_service.settings import Limits

FIRST_GUESS_SECONDS = 0.005  # of an answer, before any was made
ROUND_SECONDS = 0.025  # of answers before the loop runs again
GROUP_SIZE = 8  # answers at most: more would hardly cost less each, and the first waits for the last
LOOP_PASSES = 3  # between two rounds: what was received is read, then handled, then waits for its turn
OVERSHOOT = 0.5  # of a plain answer, by which a group may cost more than its limit
NEW_SHARE = 0.05  # of the mean time of an answer: about the last 20 count
Result = TypeVar("Result")


class AnswerQueue:
    """Makes answers in a fair order: at once for a lone request, in groups for those that had to wait.

    The event loop (one, for the queue's whole life) runs between two rounds of answers, so that health checks are
    answered and the number waiting is exact. A round is a group; when the loop is busy (refusing a crowd, say), as many
    groups as take as long as everything else took. By the mean of recent answers it takes 25 ms at most. Each of
    several callers gets an equal part of it, and is shed by what it has waiting itself.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Callable[[], float] = time.perf_counter,
        first_guess_seconds: float = FIRST_GUESS_SECONDS,
    ) -> None:
        self._budget, self._clock = limits.waiting_seconds, clock
        self._waiting: FairLine[Ticket] = FairLine()
        self._round_ended = self._group_ended = 0.0
        self._is_running = False
        self._answer_seconds = first_guess_seconds  # moving mean of the time of an answer
        self._making = 0.0  # cost of the answers that are being made
        self.mean_seconds = first_guess_seconds
        """Moving mean of the time from one answer to the next, or of the time of an answer when none waits; both for a
        cost of one."""
        self.pending = 0
        """Requests that wait or are being answered."""
        self.shed = 0

    @property
    def has_capacity(self) -> bool:
        """Whether a request that came last of all would wait for no longer than the budget."""
        return self._seconds(self._waiting.cost + self._making) <= self._budget

    def check(self, caller: str = "", cost: float = 1.0) -> None:
        """Refuse a request that would wait for longer than the budget.

        Raises:
            HTTPException: 503, with Retry-After.
        """
        wait = self._expected_wait(caller, cost)
        if wait > self._budget:
            self.shed += 1
            raise retry_later(HTTPStatus.SERVICE_UNAVAILABLE, f"{self.pending} requests are waiting already", wait)

    def _expected_wait(self, caller: str, cost: float) -> float:
        """Seconds that a request waits: for what its caller has waiting, and for as much of each other caller.

        It is never longer than everything that waits takes.
        """
        costs = self._waiting.cost_of
        other_callers = len(costs) - (caller in costs)
        fair_share = (other_callers + 1) * costs.get(caller, 0.0) + other_callers * cost
        return self._seconds(self._making + min(self._waiting.cost, fair_share))

    def _seconds(self, cost: float) -> float:
        return cost * self.mean_seconds

    async def answer(self, prepare: Prepare[Answer], caller: str = "", cost: float = 1.0) -> Answer:
        """Make an answer when its turn has come.

        Raises:
            HTTPException: as ``check``.
        """
        self.check(caller, cost)
        answer: Answer = await self._outcome(Ticket(prepare, self._clock(), _future(), cost), caller)
        return answer

    async def run(self, work: Callable[[], Result], caller: str, cost: float) -> Result:
        """Do other work when its turn has come, in a round of its own; it is never shed.

        What the caller does next is part of it: the loop does that before the next round.
        """
        result: Result = await self._outcome(Ticket(work, self._clock(), _future(), cost, is_answer=False), caller)
        return result

    async def turn(self, caller: str, cost: float) -> None:
        """Wait for a turn; what the caller does next is done in it."""
        await self.run(_nothing, caller, cost)

    async def _outcome(self, ticket: "Ticket", caller: str) -> Any:
        loop = asyncio.get_running_loop()
        self.pending += 1
        if self._is_running:
            self._waiting.append(ticket, caller, ticket.cost)
        else:
            self._is_running = True
            try:
                self._make([ticket])
            finally:
                self._end_round(loop)
        try:
            return await ticket.outcome
        finally:
            if ticket.outcome.cancelled():
                self.pending -= 1

    def _make(self, group: "list[Ticket]") -> None:
        """Make some answers together."""
        began, self._making = self._clock(), sum(ticket.cost for ticket in group)
        try:
            for ticket, outcome in zip(group, answer_together([ticket.prepare for ticket in group]), strict=True):
                ticket.resolve(outcome)
        except BaseException as error:  # not one answer's own failure: nobody may wait for ever
            for ticket in group:
                ticket.resolve(RuntimeError(f"no answer could be made ({type(error).__name__}: {error})"))
            raise
        finally:
            self.pending -= len(group)
            if group[0].is_answer:
                self._learn(len(group), group[0].entered, began, self._clock())
            self._making = 0.0

    def _learn(self, count: int, entered: float, began: float, ended: float) -> None:
        """Update the mean times from some answers that were made together."""
        share, cost = 1 - (1 - NEW_SHARE) ** count, self._making
        self._answer_seconds += share * ((ended - began) / cost - self._answer_seconds)
        self.mean_seconds += share * ((ended - max(self._group_ended, entered)) / cost - self.mean_seconds)
        self._group_ended = ended

    def _make_round(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer one group of those that wait, or as many as fit into the time that everything else took."""
        elsewhere = min(self._clock() - self._round_ended, ROUND_SECONDS)
        round_limit = ROUND_SECONDS / self._answer_seconds
        remaining = max(min(GROUP_SIZE, round_limit), elsewhere / self._answer_seconds)
        try:
            while remaining > 0 and (group := self._next_group(min(remaining, round_limit))):
                self._make(group)
                remaining -= sum(ticket.cost for ticket in group) if group[0].is_answer else remaining
        finally:
            self._end_round(loop)

    def _next_group(self, limit: float) -> "list[Ticket]":
        """Take the next that wait, without those that were cancelled: a group of about ``limit``, or one of more."""
        group: list[Ticket] = []
        while self._waiting and len(group) < GROUP_SIZE:
            first = self._waiting.first
            if group and not (first.is_answer and group[0].is_answer and first.cost <= limit + OVERSHOOT):
                break
            ticket = self._waiting.pop()
            if not ticket.outcome.cancelled():
                group.append(ticket)
                limit -= ticket.cost
        return group

    def _end_round(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the loop send the answers and take in new requests before the next round."""
        self._round_ended = self._clock()
        self._pass_loop(loop, LOOP_PASSES)

    def _pass_loop(self, loop: asyncio.AbstractEventLoop, passes: int) -> None:
        if passes:
            loop.call_soon(self._pass_loop, loop, passes - 1)
        elif self._waiting:
            self._make_round(loop)
        else:
            self._is_running = False


@dataclass(slots=True, eq=False)
class Ticket:
    """A place in the queue; a caller that leaves cancels the outcome."""

    prepare: Prepare[Any]
    entered: float
    outcome: "asyncio.Future[Any]"
    cost: float = 1.0
    is_answer: bool = True

    def resolve(self, outcome: Any) -> None:
        """Hand over the answer, or the exception, unless the caller has left."""
        if self.outcome.done():
            return
        if isinstance(outcome, Exception):
            self.outcome.set_exception(outcome)
        else:
            self.outcome.set_result(outcome)


def _future() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


def _nothing() -> None:
    """Do nothing: what waits is the turn itself."""
