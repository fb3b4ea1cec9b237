"""The clocks of a service, each going by the one above it.

::

    StoredClock      where the last run left the home: a record in the online store (``packed_online_store.clock``)
    SteadyClock      the machine's time, counted on from one look at its clock; it never goes back
    ServiceClock     the home's time: goes on from where the home stands, as the services of the home keep it
    FollowingClock   a service's clock that follows the store, as soon as the store can be asked

A home that stands in the past (the demo's data are of 2017) counts on from its as-of by what has elapsed since the
service's first start there. A living home, whose as-of is recent, has the time of the machine. While the service runs,
a jump of the machine's clock changes nothing, unless it is forward and stays.

Several services of one home agree through ``clock.json`` (``kept_clock``), at which each looks every second. Where
their machines' clocks differ, one may be behind another by no more than ``KEEP_SECONDS`` and a look.
"""

import logging
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from components.contracts.errors import RankloopError, StoreError
from components.feedback.segments.layout import FeedbackLayout
from components.home.storage.locations import Location
from components.home.trouble_log import TroubleLog
from components.ranking_service.live.kept_clock import ADVICE, ClockDocument, KeptClock
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.clock import wall_clock

LONG_AGO = datetime(1, 1, 2, tzinfo=UTC)  # no clock goes back to it
log = logging.getLogger("rankloop.feedback")
LIVING = timedelta(days=30)  # a home whose as-of lies no further back is a living one
JUMP_SECONDS = 60.0  # by more, and for longer, the machine's clock is ahead if the machine slept, or was put right
MAX_AHEAD = timedelta(days=1)  # of the machine's time; what was kept further ahead comes of a clock that was wrong
LOOK_SECONDS = 1.0  # between two looks at what other services keep
KEEP_SECONDS = 10.0  # between two moments that services on several machines write down
REFUSALS = (OSError, RankloopError)


class SteadyClock:
    """Tells the machine's time when called, counted on from one look at its clock; it never goes back."""

    def __init__(self, wall: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._anchor = wall(), monotonic()
        self._ahead_since = math.inf

    def __call__(self) -> datetime:
        """Return the present moment."""
        moment, since = self._anchor
        return moment + timedelta(seconds=self._monotonic() - since)

    def follow(self) -> None:
        """Go on to the machine's clock if it was ahead whenever it was looked at for a while."""
        wall, now = self._wall(), self._monotonic()
        is_ahead = wall - self() > timedelta(seconds=JUMP_SECONDS)
        self._ahead_since = min(self._ahead_since, now) if is_ahead else math.inf
        if now - self._ahead_since >= JUMP_SECONDS:
            log.warning("the machine's clock went forward, from %s to %s, and is followed", self(), wall)
            self._anchor = wall, now


class ServiceClock:
    """Tells the time of a home when called, in UTC; kept in ``clock.json``, so that restarts and others count on.

    One thread moves it on, any thread may ask.
    """

    def __init__(
        self,
        feedback: Location,
        as_of: datetime,
        anchored_at: datetime | None = None,
        wall: Callable[[], datetime] = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the clock of a home's feedback (``home.feedback``).

        Args:
            as_of: the moment that the home stands at.
            anchored_at: the machine's time at which it stood there, for a home that moves on by itself.

        Raises:
            ConfigurationError: ``clock.json`` cannot be read.
            StorageError: the bucket cannot be used.
        """
        self._machine, self._monotonic = SteadyClock(wall, monotonic), monotonic
        self._document = _document_of(feedback)
        self._troubles = TroubleLog(log)
        never = datetime.min.replace(tzinfo=UTC)
        self._clock = self._document.read() or KeptClock(never, self._machine(), never)
        self._next_look = monotonic() + LOOK_SECONDS
        self._doubt()
        self.advance(as_of, anchored_at)

    def __call__(self) -> datetime:
        """Return the home's present moment."""
        clock = self._clock
        return clock.at(self._machine())

    def advance(self, as_of: datetime, anchored_at: datetime | None = None) -> None:
        """Take over a newer moment that the home stands at; one that is older changes nothing.

        Only a living home's clock that is days ahead of the machine's goes back to it: nothing else would ever end
        what a wrong clock left behind.
        """
        now = self._machine()
        stands = as_of.astimezone(UTC) if anchored_at is None else as_of.astimezone(UTC) + (now - anchored_at)
        if timedelta(0) <= now - stands < LIVING:
            stands = now
            if self() - now > MAX_AHEAD:
                log.warning("the home's clock goes back from %s to the machine's time, %s", self(), now)
                self._keep(self._clock.gone_back(now, now))
        if stands > self():
            self._keep(KeptClock(stands, now, stands, self._clock.times_gone_back))

    def go_back(self, as_of: datetime, back_from: datetime) -> None:
        """Go back to where the home's owner has set it, if this clock has reached the moment that the home left."""
        if self() >= back_from:
            log.warning("the home's clock goes back from %s to %s, where the home was set", self(), as_of)
            self._keep(self._clock.gone_back(as_of.astimezone(UTC), self._machine()))

    def follow(self) -> None:
        """Follow the machine and, once a second, the home's other services; write down what is to be written.

        That is what could not be written before, until when a restart may fall behind, and, where services run on
        several machines, the present moment now and then.
        """
        self._machine.follow()
        if self._monotonic() >= self._next_look:
            self._next_look = self._monotonic() + LOOK_SECONDS
            self._look()
        is_behind = self() - self._clock.shown >= timedelta(seconds=KEEP_SECONDS)
        if "file" in self._troubles or (is_behind and self._document.is_shared_by_machines):
            self.keep()

    def keep(self) -> None:
        """Write the present moment down: nobody falls behind it, even if a machine's clock is set back."""
        self._keep(replace(self._clock, shown=self()))

    def _look(self) -> None:
        """Take over what other services keep."""
        try:
            kept = self._document.read()
        except REFUSALS as error:
            self._troubles.report("look", f"{error}; until then the clock goes on by itself")
            return
        self._troubles.report("look", None)
        if kept is not None:
            self._clock = self._clock.merged(kept)

    def _keep(self, clock: KeptClock) -> None:
        """Go by a clock, or by what others keep where that counts for more."""
        self._clock = clock
        try:
            self._clock = self._document.merge(clock)
        except REFUSALS as error:
            location = self._document.location
            self._troubles.report("file", f"{location} cannot be written ({error}); it is tried again and again")
        else:
            self._troubles.report("file", None)

    def _doubt(self) -> None:
        """Say that a kept clock is ahead of the machine's, for one of them is wrong."""
        now, clock = self._machine(), self._clock
        if max(clock.shown, clock.anchored_at) - now > MAX_AHEAD:
            log.warning(
                "%s: the clock has stood at %s, and the machine's at %s, which now says %s: expected neither to be "
                "ahead of that; set the machine's clock right; or, with all services of the home stopped, %s",
                *(self._document.location, clock.shown, clock.anchored_at, now, ADVICE),
            )


def _document_of(feedback: Location) -> ClockDocument:
    return ClockDocument(feedback, FeedbackLayout(feedback).clock)


class FollowingClock:
    """Tells the home's time: that of the service's last run goes on, until the store says something newer.

    ``clock`` is None in the service's first run here for as long as the store could not be asked.
    """

    def __init__(self, feedback: Location, open_client: Callable[[], PackedClient], advice: str) -> None:
        """Go on from what the feedback (``home.feedback``) holds; the store is asked with a client of its own.

        ``advice`` says what brings rows into a store that has none.

        Raises:
            ConfigurationError: what it holds cannot be read.
            StorageError: the bucket cannot be used.
        """
        self._feedback, self._open_client, self._advice = feedback, open_client, advice
        self.clock = ServiceClock(feedback, LONG_AGO) if _document_of(feedback).read() is not None else None

    def __call__(self) -> datetime:
        """Return the present moment.

        Raises:
            StoreError: it is not known yet.
        """
        if self.clock is None:
            raise StoreError("the store could not be asked for the home's time yet")
        return self.clock()

    def advance(self) -> None:
        """Follow the home to where its store stands; while that says nothing, the clock that there is goes on.

        Raises:
            StoreError: there is no clock to go on with, or the store has no rows.
        """
        try:
            with closing(self._open_client()) as client:
                stored = client.stored_clock()
        except StoreError:
            if self.clock is None:
                raise
            return
        if stored is None:
            if self.clock is None:
                raise StoreError(f"{client.backend.url}: found no rows, expected some: {self._advice}")
            return
        if self.clock is None:
            self.clock = ServiceClock(self._feedback, stored.as_of, stored.anchored_at)
            return
        if stored.back_from is not None:
            self.clock.go_back(stored.as_of, stored.back_from)
        self.clock.advance(stored.as_of, stored.anchored_at)

    def follow(self) -> None:
        """Follow the machine's clock and the home's other services."""
        if self.clock is not None:
            self.clock.follow()

    def keep(self) -> None:
        """Write the present moment down, so that no later service falls behind it."""
        if self.clock is not None:
            self.clock.keep()
