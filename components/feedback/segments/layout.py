"""The layout of the feedback log.

::

    impressions/        Delta, SERVED
    journal/lists/      segments of lists on their way there
    journal/events/     segments of events
    acknowledgements/   a note of each process that serves: which tombstones it has acted on
    clock.json          where the service's clock stands
    mover.lock          held by the process that moves lists, or keeps the log

In a bucket it is the same, without the lock: runs and erasures alone write the table there, under the home's lease.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, cast

from components.home.disk.file_lock import FileLock
from components.home.disk.presence import status_of
from components.home.layout import Home
from components.home.storage.documents import list_names
from components.home.storage.held import check_held
from components.home.storage.locations import BucketPath, Location

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
    def tombstones(self) -> Location:
        """Return where the tombstones of the home lie."""
        return Home(self.root.parent).tombstones

    @property
    def clock(self) -> Place:
        return self._below("clock.json")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from moving lists while the block runs, after waiting for them.

        Raises:
            OSError: the lock cannot be created.
            HomeBusyError: the run that works in the bucket has lost its home to another.
        """
        lock = self._below("mover.lock")
        check_held(lock)
        with FileLock(lock).held() if isinstance(lock, Path) else nullcontext():
            yield

    @contextmanager
    def tried(self) -> Iterator[bool]:
        """Do as ``held`` does without waiting; the block is given False where another process moves lists."""
        lock = self._below("mover.lock")
        check_held(lock)
        with FileLock(lock).tried() if isinstance(lock, Path) else nullcontext(0) as descriptor:
            yield descriptor is not None

    def _below(self, *names: str) -> Place:
        location: Location = self.root
        for name in names:
            location = location / name
        return cast(Place, location)


def has_feedback(home: Home) -> bool:
    """Return whether anything may have been logged in a home.

    Raises:
        OSError, ConfigurationError, StorageError: it cannot be looked at.
    """
    feedback: Location = home.feedback
    return bool(list_names(feedback)) if isinstance(feedback, BucketPath) else status_of(feedback) is not None
