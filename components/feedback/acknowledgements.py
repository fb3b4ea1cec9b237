"""Processes that hold users' data in memory say which tombstones they have acted on.

Each has a note. In a folder that is a small file, locked for as long as its process lives; in a bucket it is an object
that its process renews. ``rankloop forget`` writes the tombstone, waits until every such process has acted on it, and
erases then: nothing of the user comes after.

A process whose object was not renewed for long is not waited for: it has ended, or cannot reach the bucket. One that
reaches it again renews its object and looks at the tombstones before it writes anything (``check_current``). What it
was about to write when it was stopped still comes: ``late_lines`` deals with that.
"""

import json
import logging
import math
import os
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Protocol

from components.contracts.errors import RankloopError, StorageError
from components.home.disk.file_lock import FileLock, create_locked
from components.home.disk.presence import names_in
from components.home.guarded_folder import GuardedFolder, leads_to
from components.home.layout import Home
from components.home.storage.bucket import REQUEST_SECONDS, RETRY_SECONDS
from components.home.storage.documents import Stamp, objects_below, read_document, remove_document, write_document
from components.home.storage.lease import CLOCK, server_time
from components.home.storage.locations import BucketPath, Location
from components.home.tombstones import TombstoneView, tombstones_stamp
from components.home.trouble_log import TroubleLog

FOLDER = "acknowledgements"
POLL_SECONDS = 0.1
BUCKET_POLL_SECONDS = 0.5
RENEW_SECONDS = 10.0
EXPIRY_SECONDS = 90.0  # after which a process whose note was not renewed is not waited for
CURRENT_SECONDS = EXPIRY_SECONDS - RETRY_SECONDS - REQUEST_SECONDS - 5.0  # what is sent until then arrives before that
REFUSALS = (OSError, RankloopError)
log = logging.getLogger("rankloop.feedback")


class Note(Protocol):
    """The note of one process."""

    @property
    def place(self) -> Location:
        """Return where it lies."""

    @property
    def returned_at(self) -> float:
        """Return when others began to wait for this process, or began again, by the monotonic clock.

        What it knew of the tombstones before that may be too little.
        """

    def is_announced(self) -> bool:
        """Return whether the note is there for other processes to find."""

    def is_current(self) -> bool:
        """Return whether other processes wait for this one until what it sends now has arrived."""

    def announce(self) -> None:
        """Make the note, or make it again.

        Raises:
            OSError, RankloopError: it cannot be written.
        """

    def write(self, content: bytes) -> None:
        """Replace what it says.

        Raises:
            OSError, RankloopError: it cannot be written.
        """

    def close(self) -> None:
        """Remove the note, so no process waits for this one any more."""


def _new_note(feedback: Location) -> Note:
    name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    return ObjectNote(feedback / FOLDER / name) if isinstance(feedback, BucketPath) else FileNote(feedback, name)


class FileNote:
    """A file that is locked for as long as its process lives; it is made again where its name or disk was lost."""

    def __init__(self, feedback: Path, name: str) -> None:
        self.place = feedback / FOLDER / name
        self.returned_at = -math.inf
        self._folder_guard = GuardedFolder(feedback)
        self._file: int | None = None

    def is_announced(self) -> bool:
        """Return whether the file still has its name."""
        return self._file is not None and leads_to(self.place, self._file)

    def is_current(self) -> bool:
        """Say that it is: what is written to a disk goes no long way."""
        return True

    def announce(self) -> None:
        """Make the file, or make it again.

        Raises:
            OSError: it cannot be written.
        """
        if self._file is not None:
            os.close(self._file)
        self._file = None
        self._folder_guard.ensure()
        self.place.parent.mkdir(exist_ok=True)
        self._file = create_locked(self.place, mode=0o644)

    def write(self, content: bytes) -> None:
        """Replace what it says, unless it could not be made.

        Raises:
            OSError: it cannot be written.
        """
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.write(self._file, content)

    def close(self) -> None:
        """Take the file away, if its disk lets it: the lock goes in any case."""
        if self._file is None:
            return
        with suppress(OSError):
            self.place.unlink(missing_ok=True)
        os.close(self._file)
        self._file = None


class ObjectNote:
    """An object that its process renews; if it was not renewed for long, the process has ended."""

    def __init__(self, place: BucketPath) -> None:
        self.place = place
        self.returned_at = -math.inf
        self._renewed = -math.inf  # seconds by CLOCK before the last renewal was sent

    def is_announced(self) -> bool:
        """Return whether the object was renewed lately."""
        return _seconds() - self._renewed < RENEW_SECONDS

    def is_current(self) -> bool:
        """Return whether it will not expire before a request that is sent now has come to its end."""
        return _seconds() - self._renewed < CURRENT_SECONDS

    def announce(self) -> None:
        """Replace the object by an empty one, whose content is announced again at once."""
        self.write(b"")

    def write(self, content: bytes) -> None:
        """Replace what it says."""
        sent, is_current = _seconds(), self.is_current()
        write_document(self.place, content)
        if not is_current:
            self.returned_at = time.monotonic()  # before other threads see that it is current
        self._renewed = sent

    def close(self) -> None:
        """Take it away."""
        remove_document(self.place)


class TombstoneAcknowledger:
    """Says, for a process that serves, which tombstones it has acted on; one thread follows."""

    def __init__(self, home: Home, tombstones: TombstoneView) -> None:
        """Announce the process, then look at the tombstones again: in this order no forgetting is missed.

        Args:
            tombstones: the forgotten users, as all parts of the process see them.
        """
        self._note, self._noting = _new_note(home.feedback), Lock()
        self._acknowledged: tuple[Stamp | None] | None = None
        self._troubles = TroubleLog(log)
        self._is_closed = False
        self._announce()
        self._tombstones = tombstones
        self._stamp = self._tombstones.follow(self._note.returned_at)
        self._pending: Future[None] | None = None
        self._acknowledge()

    def follow(self, drop: Callable[[], "Future[None]"]) -> None:
        """Act on new tombstones, and acknowledge them once that is done; to be called a few times a second.

        Args:
            drop: drops all users who were forgotten from memory, so that nothing of them is begun any more; its future
                ends when what had been begun before has come to its end.
        """
        with self._noting:
            if not self._is_closed and not self._note.is_announced():
                self._announce()
        stamp = self._tombstones.follow(self._note.returned_at)
        if stamp != self._stamp:
            self._stamp, self._pending = stamp, drop()
        elif self._acknowledged != (stamp,) and (self._pending is None or self._pending.done()):
            with self._noting:
                self._acknowledge()

    def check_current(self) -> Stamp | None:
        """Make sure, before something of users is written, that no forgetting has gone on without this process.

        Returns:
            The state of the tombstones that is known; any thread may ask.

        Raises:
            ConfigurationError, StorageError: the bucket cannot be used; nothing may be written.
        """
        if not self._note.is_current():
            with self._noting:
                self._make_note()
        returned_at = self._note.returned_at
        stamp = self._tombstones.follow(returned_at)
        if self._tombstones.looked_at < returned_at:
            raise StorageError(f"{self._note.place}: was not renewed for long, and who was forgotten cannot be read")
        return stamp

    @property
    def note(self) -> Location:
        """Return where the process's note lies."""
        return self._note.place

    def close(self) -> None:
        """Say that nothing is held any more."""
        self._is_closed = True
        with suppress(*REFUSALS):
            self._note.close()

    def _announce(self) -> None:
        """Write the process's note, or write it again where its name was lost, as when its disk was taken away."""
        self._write(self._make_note)

    def _make_note(self) -> None:
        self._acknowledged = None
        self._note.announce()

    def _acknowledge(self) -> None:
        if self._note.is_announced() and self._write(lambda: self._note.write(json.dumps(self._stamp).encode())):
            self._acknowledged = (self._stamp,)

    def _write(self, write: Callable[[], None]) -> bool:
        """Write the note, or later: until then this process counts as one that has not acted."""
        try:
            write()
        except REFUSALS as error:
            advice = "it is tried again and again, and until then `rankloop forget` cannot count on this process"
            self._troubles.report("note", f"{self._note.place} cannot be written ({error}); {advice}")
            return False
        self._troubles.report("note", None)
        return True


def await_acknowledgements(home: Home, seconds: float) -> tuple[int, int]:
    """Wait until every process that serves has acted on the newest tombstones.

    Returns:
        How many have, and how many have not within the time.
    """
    stamp, ends = tombstones_stamp(home.tombstones), time.monotonic() + seconds
    pause = BUCKET_POLL_SECONDS if isinstance(home.root, BucketPath) else POLL_SECONDS
    while True:
        living = _acknowledgements(home.feedback / FOLDER, json.dumps(stamp).encode())
        if all(living) or time.monotonic() >= ends:
            return sum(living), len(living) - sum(living)
        time.sleep(pause)


def _acknowledgements(folder: Location, content: bytes) -> list[bool]:
    """Say of each process that lives whether its note says a content."""
    if isinstance(folder, BucketPath):
        return [read_document(note) == content for note in _living_objects(folder)]
    notes = [_has_said(folder / name, content) for name in names_in(folder) if name[0].isdigit()]
    return [note for note in notes if note is not None]


def _living_objects(folder: BucketPath) -> Iterator[BucketPath]:
    """Yield the notes of a bucket that were renewed lately, by the server's clock; others are taken away."""
    notes = [(each.location, each.modified) for each in objects_below(folder)]
    oldest = server_time(folder / "now") - timedelta(seconds=EXPIRY_SECONDS) if notes else None
    for note, renewed in notes:
        if not note.name[0].isdigit():
            continue
        if oldest is None or renewed >= oldest:
            yield note
        else:
            remove_document(note)


def _has_said(note: Path, said: bytes) -> bool | None:
    """Return whether a process's note says something; None for a process that is gone, whose note goes too.

    A process whose note cannot be read, such as another user's, counts as one that has not.
    """
    try:
        content = note.read_bytes()
        if FileLock(note).is_held():
            return content == said
    except FileNotFoundError:
        return None
    except OSError:
        return False
    with suppress(OSError):  # a note that stays is looked at again the next time
        note.unlink()
    return None


def _seconds() -> float:
    return time.clock_gettime(CLOCK)
