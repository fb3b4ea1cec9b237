"""Where the feedback log keeps what.

::

    impressions/        Delta, SERVED
    journal/lists/      segments of lists on their way there
    journal/events/     segments of events
    followers/          a note of each process that serves: which tombstones it has acted on
    clock.json          where the service's clock stands
    mover.lock          held by whoever moves lists, or keeps the log
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """The parts of a home's feedback folder."""

    root: Path

    @property
    def impressions(self) -> Path:
        return self.root / "impressions"

    @property
    def lists(self) -> Path:
        return self.root / "journal" / "lists"

    @property
    def events(self) -> Path:
        return self.root / "journal" / "events"

    @property
    def clock(self) -> Path:
        return self.root / "clock.json"

    @property
    def lock(self) -> Path:
        return self.root / "mover.lock"
