"""Where the feedback log keeps what.

::

    impressions/        Delta, SERVED
    journal/lists/      segments of lists on their way there
    journal/events/     segments of events
    acknowledgements/   a note of each process that serves: which tombstones it has acted on
    clock.json          where the service's clock stands
    mover.lock          held by the process that moves lists, or keeps the log

In a bucket it is the same, without notes and lock.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from components.home.storage.locations import Location

Place = TypeVar("Place", bound=Location, covariant=True)


@dataclass(frozen=True)
class FeedbackLayout(Generic[Place]):
    """The parts of a home's feedback, in a folder or below a prefix of a bucket."""

    root: Place

    @property
    def impressions(self) -> Place:
        return self._below("impressions")

    @property
    def lists(self) -> Place:
        return self._below("journal", "lists")

    @property
    def events(self) -> Place:
        return self._below("journal", "events")

    @property
    def clock(self) -> Place:
        return self._below("clock.json")

    @property
    def lock(self) -> Place:
        return self._below("mover.lock")

    def _below(self, *names: str) -> Place:
        location: Location = self.root
        for name in names:
            location = location / name
        return cast(Place, location)
