"""The clocks of a service, each going by the one above it.

::

    StoredClock      where the last run left the home: a record in the online store (``packed_online_store.clock``)
    SteadyClock      the machine's time, counted on from one look at its clock; it never goes back
    ServiceClock     the home's time: goes on from where the home stands, kept in ``clock.json`` over restarts
    FollowingClock   a service's clock that follows the store, as soon as the store can be asked

A home that stands in the past (the demo's data are of 2017) counts on from its as-of by what has elapsed since the
service's first start there. A living home, whose as-of is recent, has the time of the machine. While the service runs,
a jump of the machine's clock changes nothing, unless it is forward and stays.
"""

import json
import logging
import math
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from components.contracts.errors import ConfigurationError, StoreError
from components.feedback.layout import FeedbackLayout
from components.home.disk.durable import write_durably
from components.home.disk.presence import content_of
from components.home.guarded_folder import GuardedFolder
from components.home.trouble_log import TroubleLog
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.clock import wall_clock

LONG_AGO = datetime(1, 1, 2, tzinfo=UTC)  # no clock goes back to it
log = logging.getLogger("rankloop.feedback")
LIVING = timedelta(days=30)  # a home whose as-of lies no further back is a living one
JUMP_SECONDS = 60.0  # by more, and for longer, the machine's clock is ahead if the machine slept, or was put right
MOST_AHEAD = timedelta(days=1)  # of the machine's time; what was kept further ahead comes of a clock that was wrong


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
    """Tells the time of a home when called, in UTC; kept in ``clock.json``, so that a restart counts on.

    One thread moves it on, any thread may ask.
    """

    def __init__(
        self,
        folder: Path,
        as_of: datetime,
        anchored_at: datetime | None = None,
        wall: Callable[[], datetime] = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the clock of a feedback folder (``home.feedback``).

        Args:
            as_of: the moment that the home stands at.
            anchored_at: the machine's time at which it stood there, for a home that moves on by itself.

        Raises:
            ConfigurationError: ``clock.json`` cannot be read.
        """
        self._path, self._machine = FeedbackLayout(folder).clock, SteadyClock(wall, monotonic)
        self._folder_guard = GuardedFolder(folder)
        self._troubles = TroubleLog(log)
        self._anchor = _read(self._path) or (datetime.min.replace(tzinfo=UTC), self._machine())
        self._doubt()
        self.advance(as_of, anchored_at)

    def __call__(self) -> datetime:
        """Return the home's present moment."""
        moment, since = self._anchor
        return moment + max(self._machine() - since, timedelta(0))

    def advance(self, as_of: datetime, anchored_at: datetime | None = None) -> None:
        """Take over a newer moment that the home stands at; one that is older changes nothing.

        Only a living home's clock that is days ahead of the machine's goes back to it: nothing else would ever end
        what a wrong clock left behind.
        """
        now = self._machine()
        stands = as_of.astimezone(UTC) if anchored_at is None else as_of.astimezone(UTC) + (now - anchored_at)
        if timedelta(0) <= now - stands < LIVING:
            stands = now
            if self() - now > MOST_AHEAD:
                log.warning("the home's clock goes back from %s to the machine's time, %s", self(), now)
                self._stand(now, now)
        if stands > self():
            self._stand(stands, now)

    def go_back(self, as_of: datetime, back_from: datetime) -> None:
        """Go back to where the home's owner has set it, if this clock has reached the moment that the home left."""
        if self() >= back_from:
            log.warning("the home's clock goes back from %s to %s, where the home was set", self(), as_of)
            self._stand(as_of.astimezone(UTC), self._machine())

    def follow(self) -> None:
        """Follow the machine, and write down what the disk refused before; until it does, a restart may fall behind."""
        self._machine.follow()
        if "file" in self._troubles:
            self.keep()

    def keep(self) -> None:
        """Write the present moment down: no restart falls behind it, even if the machine's clock is set back."""
        self._stand(self(), self._machine())

    def _doubt(self) -> None:
        """Say that a kept clock is ahead of the machine's, for one of them is wrong."""
        now = self._machine()
        if max(self._anchor) - now > MOST_AHEAD:
            log.warning(
                "%s: the clock stood at %s when the machine's said %s, which now says %s: expected neither to be ahead "
                "of that; set the machine's clock right, or remove the file, and the clock starts again at the home's "
                "as-of",
                self._path,
                *self._anchor,
                now,
            )

    def _stand(self, moment: datetime, now: datetime) -> None:
        self._anchor = moment, now  # one value: whoever asks meanwhile takes both from before or both from now
        document = {"as_of": moment.isoformat(), "anchored_at": now.isoformat()}
        try:
            self._folder_guard.ensure()
            write_durably(self._path, json.dumps(document).encode())
        except OSError as error:
            self._troubles.report("file", f"{self._path} cannot be written ({error}); it is tried again and again")
        else:
            self._troubles.report("file", None)


class FollowingClock:
    """Tells the home's time: that of the service's last run goes on, until the store says something newer.

    ``clock`` is None in the service's first run here for as long as the store could not be asked.
    """

    def __init__(self, folder: Path, open_client: Callable[[], PackedClient], advice: str) -> None:
        """Go on from what the feedback folder (``home.feedback``) holds; the store is asked with a client of its own.

        ``advice`` says what brings rows into a store that has none.

        Raises:
            ConfigurationError: what the folder holds cannot be read.
        """
        self._folder, self._open_client, self._advice = folder, open_client, advice
        self.clock = ServiceClock(folder, LONG_AGO) if is_kept(folder) else None

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
            self.clock = ServiceClock(self._folder, stored.as_of, stored.anchored_at)
            return
        if stored.back_from is not None:
            self.clock.go_back(stored.as_of, stored.back_from)
        self.clock.advance(stored.as_of, stored.anchored_at)

    def follow(self) -> None:
        """Follow the machine's clock, and write down what the disk refused before."""
        if self.clock is not None:
            self.clock.follow()

    def keep(self) -> None:
        """Write the present moment down, so that no later service falls behind it."""
        if self.clock is not None:
            self.clock.keep()


def is_kept(folder: Path) -> bool:
    """Say whether a feedback folder holds the clock of an earlier service.

    Raises:
        ConfigurationError: it cannot be read.
    """
    return _read(FeedbackLayout(folder).clock) is not None


def _read(path: Path) -> tuple[datetime, datetime] | None:
    try:
        content = content_of(path)
        if content is None:
            return None
        document = json.loads(content)
        return _zoned(document["as_of"]), _zoned(document["anchored_at"])
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({error}); expected a file that this user may read"
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        raise ConfigurationError(
            f"{path}: expected the moments `as_of` and `anchored_at` ({error}); remove the file, and the clock starts "
            "again at the home's as-of"
        ) from error


def _zoned(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return moment
