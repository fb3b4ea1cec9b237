"""Where the time of a home stands, as its services keep it: the document ``clock.json``, which all of them change.

Several services of one home agree by it, on one machine or on many: time goes by what is further on, and so none falls
behind what another has shown. Only going back counts for more, and is numbered.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from components.contracts.errors import ConfigurationError
from components.home.guarded_folder import GuardedFolder
from components.home.storage.documents import read_document, update_document
from components.home.storage.locations import Location

ADVICE = "remove it, and the clock starts again at the home's as-of"


@dataclass(frozen=True)
class KeptClock:
    """A line through a home's time and the machines', and the latest moment that a service has written down.

    The home stood at ``as_of`` when the machine's clock said ``anchored_at``; it has stood at ``shown`` since. Of two
    that differ in ``times_gone_back`` the higher one counts alone.
    """

    as_of: datetime
    anchored_at: datetime
    shown: datetime
    times_gone_back: int = 0

    def at(self, machine: datetime) -> datetime:
        """Return the home's moment at a moment of the machine."""
        return max(self.as_of + max(machine - self.anchored_at, timedelta(0)), self.shown)

    def gone_back(self, to: datetime, machine: datetime) -> "KeptClock":
        """Return the clock after it was set back to an earlier moment."""
        return KeptClock(to, machine, to, self.times_gone_back + 1)

    def merged(self, other: "KeptClock") -> "KeptClock":
        """Return what two services agree on: what is further on, unless only one of them has gone back."""
        if self.times_gone_back != other.times_gone_back:
            return max(self, other, key=lambda clock: clock.times_gone_back)
        line = max(self, other, key=lambda clock: clock.as_of - clock.anchored_at)
        return replace(line, shown=max(self.shown, other.shown))


class ClockDocument:
    """The document of one home's clock."""

    def __init__(self, feedback: Location, location: Location) -> None:
        """Open the document; ``feedback`` is the folder that may be taken away with it."""
        self.location = location
        self.is_shared_by_machines = not isinstance(feedback, Path)
        self._ensure: Callable[[], None] = GuardedFolder(feedback).ensure if isinstance(feedback, Path) else _nothing

    def read(self) -> KeptClock | None:
        """Read the clock; None if there is none.

        Raises:
            ConfigurationError: it cannot be read, or holds something else.
            StorageError: the bucket cannot be used.
        """
        try:
            content = read_document(self.location)
        except OSError as error:
            raise ConfigurationError(
                f"{self.location}: cannot be read ({error}); expected a file that this user may read"
            ) from error
        return None if content is None else self._parse(content)

    def merge(self, clock: KeptClock) -> KeptClock:
        """Bring a clock in, and return what all services agree on now; what is no clock is written over.

        Raises:
            OSError, ConfigurationError, StorageError: the document cannot be written.
        """
        self._ensure()
        return self._parse(update_document(self.location, lambda content: _document(self._merged(clock, content))))

    def _merged(self, clock: KeptClock, content: bytes | None) -> KeptClock:
        try:
            return clock if content is None else clock.merged(self._parse(content))
        except ConfigurationError:
            return clock

    def _parse(self, content: bytes) -> KeptClock:
        try:
            document = json.loads(content)
            as_of, anchored_at = _zoned(document["as_of"]), _zoned(document["anchored_at"])
            shown = _zoned(document.get("shown", document["as_of"]))
            return KeptClock(as_of, anchored_at, shown, int(document.get("times_gone_back", 0)))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise ConfigurationError(
                f"{self.location}: expected the moments `as_of` and `anchored_at` ({error}); {ADVICE}"
            ) from error


def _nothing() -> None:
    """Nobody takes a bucket away."""


def _document(clock: KeptClock) -> bytes:
    moments = {name: getattr(clock, name).isoformat() for name in ("as_of", "anchored_at", "shown")}
    return json.dumps(moments | {"times_gone_back": clock.times_gone_back}).encode()


def _zoned(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return moment
