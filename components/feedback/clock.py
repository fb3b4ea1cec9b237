"""The service's clock: the home's time, which goes on while the service runs, and never back.

A home that stands in the past (the demo's data are of 2017) counts on from its as-of by what has elapsed since the
service's first start there. A living home, whose as-of is of late, has the time of the machine.
"""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from components.contracts.durable import write_durably
from components.contracts.errors import ConfigurationError
from components.feedback.places import Places
from feature_repo.packed_online_store.clock import wall_clock

log = logging.getLogger("rankloop.feedback")
LIVING = timedelta(days=30)  # an as-of that lies no further back is one of a home that lives


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
    ) -> None:
        """Open the clock of a feedback folder (``home.feedback``).

        Args:
            as_of: the moment that the home stands at.
            anchored_at: the machine's time at which it stood there, for a home that moves on by itself.

        Raises:
            ConfigurationError: ``clock.json`` cannot be read.
        """
        self._path, self._wall = Places(folder).clock, wall
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._is_written = True
        self._anchor = _read(self._path) or (self._latest, wall())
        self.advance(as_of, anchored_at)

    def __call__(self) -> datetime:
        """Return the home's present moment."""
        moment, since = self._anchor
        elapsed = max(self._wall() - since, timedelta(0))
        self._latest = max(self._latest, moment + elapsed)
        return self._latest

    def advance(self, as_of: datetime, anchored_at: datetime | None = None) -> None:
        """Take over a newer moment that the home stands at; one that is older changes nothing."""
        now = self._wall()
        stands = as_of.astimezone(UTC) if anchored_at is None else as_of.astimezone(UTC) + (now - anchored_at)
        if timedelta(0) <= now - stands < LIVING:
            stands = now
        if stands > self():
            self._stand(stands, now)

    def follow(self) -> None:
        """Write down what the disk refused before; until it does, a restart may fall behind."""
        if not self._is_written:
            self.keep()

    def keep(self) -> None:
        """Write the present moment down: no restart falls behind it, even if the machine's clock is set back."""
        self._stand(self(), self._wall())

    def _stand(self, moment: datetime, now: datetime) -> None:
        self._anchor = moment, now  # one value: whoever asks meanwhile takes both from before or both from now
        document = {"as_of": moment.isoformat(), "anchored_at": now.isoformat()}
        try:
            write_durably(self._path, json.dumps(document).encode())
        except OSError as error:
            if self._is_written:
                log.warning("%s cannot be written (%s); it is tried again and again", self._path, error)
            self._is_written = False
        else:
            self._is_written = True


def _read(path: Path) -> tuple[datetime, datetime] | None:
    try:
        found = json.loads(path.read_bytes())
        return _zoned(found["as_of"]), _zoned(found["anchored_at"])
    except FileNotFoundError:
        return None
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
