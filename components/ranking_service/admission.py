"""How much is let in: so many requests of one caller, and no more waiting ones than are answered in time."""

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType

from starlette.exceptions import HTTPException

from components.ranking_service.settings import positive_number

MOST_CALLERS = 10_000  # remembered at once; of more, those that asked longest ago start afresh
MOST_NAME = 64  # characters of a caller's name or address that tell it apart
FIRST_GUESS_SECONDS = 0.005
MOST_ROUND_SECONDS = 0.05  # of answers before the loop looks for news
NEW_SHARE = 0.05  # of the mean time of an answer: about the last 20 count

PER_SECOND = "RANKLOOP_REQUESTS_PER_SECOND"
BURST = "RANKLOOP_REQUESTS_AT_ONCE"
WAITING = "RANKLOOP_WAITING_MS"


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
    """Lets answers be made one after the other, in the order of arrival: ``async with turn:`` around what makes one.

    What it surrounds must not await. Who comes alone is answered at once. The loop runs between two rounds of answers,
    so that health checks are answered and the number waiting is exact; when it is busy (refusing a crowd, say), answers
    get as long as all else took.
    """

    def __init__(self, limits: Limits) -> None:
        self._budget = limits.waiting_seconds
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._round_ended = self._exited = self._began = 0.0
        self._is_running = self._is_alone = False
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

    async def __aenter__(self) -> None:
        """Wait for the turn.

        Raises:
            HTTPException: as ``check``.
        """
        self.check()
        entered = time.perf_counter()
        self.ahead += 1
        if self._is_running:
            await self._given_turn()
        else:
            self._is_running = self._is_alone = True
        self._began = time.perf_counter()
        self._exited = max(self._exited, entered)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Pass the turn on."""
        now = time.perf_counter()
        self._answer_seconds += NEW_SHARE * (now - self._began - self._answer_seconds)
        self.mean_seconds += NEW_SHARE * (now - self._exited - self.mean_seconds)
        self._exited = now
        self.ahead -= 1
        if self._is_alone:
            self._is_alone = False
            self._end_round(asyncio.get_running_loop())

    async def _given_turn(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            self.ahead -= 1
            raise

    def _give_turns(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake those whose turn it is; they run before this runs again, and the loop looks for news in between."""
        if not self._waiting:
            self._is_running = False
            return
        elsewhere = time.perf_counter() - self._round_ended
        for _ in range(max(1, round(min(elsewhere, MOST_ROUND_SECONDS) / self._answer_seconds))):
            while self._waiting and (turn := self._waiting.popleft()):
                if not turn.done():
                    turn.set_result(None)
                    break
        loop.call_soon(self._end_round, loop)

    def _end_round(self, loop: asyncio.AbstractEventLoop) -> None:
        self._round_ended = time.perf_counter()
        loop.call_soon(self._give_turns, loop)


def _come_again(status: HTTPStatus, found: str, wait: float) -> HTTPException:
    seconds = max(1, math.ceil(wait))
    return HTTPException(status, f"{found}; come again in {seconds} s", {"Retry-After": str(seconds)})
