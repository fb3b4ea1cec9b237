"""A fair queue: whose turn is next when several callers wait.

Each caller has a line of its own, and of these the next place is taken from the one that had least: by start-time fair
queueing (Goyal, Vin, Cheng 1996). A place starts, in a time that counts work, when the caller's last one ends, or now;
the one that starts first is next. A caller that asks for little never waits for all that another asks for.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Generic, TypeVar

Place = TypeVar("Place")
MAX_ENDS = 10_000  # remembered before those are let go of that lie behind
ROUNDED = 1e-6  # a cost that only rounding has left


class FairLine(Generic[Place]):
    """Places with the caller and the cost of each; places of one caller keep their order."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, str, float, Place]] = []
        self._numbers = count()
        self._now = 0.0  # the start of the place that was taken last
        self._ends: dict[str, float] = {}  # of callers' last places, where these lie ahead
        self.cost = 0.0
        """What all that wait cost."""
        self.cost_of: dict[str, float] = {}
        """What the places of each caller that waits cost."""

    def __len__(self) -> int:
        return len(self._heap)

    def append(self, place: Place, caller: str, cost: float) -> None:
        """Let a place wait."""
        start = max(self._now, self._ends.get(caller, 0.0))
        self._ends[caller] = start + cost
        heapq.heappush(self._heap, (start, next(self._numbers), caller, cost, place))
        self.cost += cost
        self.cost_of[caller] = self.cost_of.get(caller, 0.0) + cost
        if len(self._ends) > MAX_ENDS:
            self._ends = {name: end for name, end in self._ends.items() if end > self._now}

    @property
    def remembered(self) -> int:
        """Return how many callers' last places are remembered."""
        return len(self._ends)

    @property
    def first(self) -> Place:
        """Return the next place, which stays."""
        return self._heap[0][4]

    def pop(self) -> Place:
        """Take the next place."""
        self._now, _, caller, cost, place = heapq.heappop(self._heap)
        self.cost -= cost
        self.cost_of[caller] -= cost
        if self.cost_of[caller] < ROUNDED:
            del self.cost_of[caller]
        if not self._heap:  # all callers begin alike again
            self._ends.clear()
            self.cost_of.clear()
            self.cost = 0.0
        return place


class FairLock:
    """A lock that is passed on in the order of a fair line."""

    def __init__(self) -> None:
        self._line: FairLine[asyncio.Future[None]] = FairLine()
        self._is_held = False

    @property
    def waiting(self) -> float:
        """Return what all that wait cost."""
        return self._line.cost

    @asynccontextmanager
    async def held(self, caller: str, cost: float) -> AsyncIterator[None]:
        """Wait for the lock, and hold it inside."""
        if self._is_held:
            await self._turn(caller, cost)
        self._is_held = True
        try:
            yield
        finally:
            self._pass_on()

    async def _turn(self, caller: str, cost: float) -> None:
        place = asyncio.get_running_loop().create_future()
        self._line.append(place, caller, cost)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # the lock was passed on to the one that leaves
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Pass the lock on to the next one that waits; those that were cancelled are skipped."""
        while self._line:
            place = self._line.pop()
            if not place.done():
                place.set_result(None)
                return
        self._is_held = False
