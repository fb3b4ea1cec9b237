"""Processes that hold users' data in memory say which tombstones they have acted on.

Each keeps a small file open, locked for as long as it lives. ``rankloop forget`` writes the tombstone, waits until
every such process has acted on it, and erases then: nothing of the user comes after.
"""

import json
import logging
import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from components.feedback.journal.footing import Footing, leads_to
from components.home.file_lock import FileLock, create_locked
from components.home.layout import Home
from components.home.presence import FileStamp, names_in
from components.home.tombstones import TombstoneView, tombstones_stamp
from components.home.trouble_log import TroubleLog

FOLDER = "acknowledgements"
POLL_SECONDS = 0.1
log = logging.getLogger("rankloop.feedback")


class TombstoneAcknowledger:
    """Says, for a process that serves, which tombstones it has acted on; one thread follows."""

    def __init__(self, home: Home, tombstones: TombstoneView) -> None:
        """Announce the process, then look at the tombstones again: in this order no forgetting is missed.

        Args:
            tombstones: what everything in the process asks who was forgotten.
        """
        self._path = home.feedback / FOLDER / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._footing = Footing(home.feedback)
        self._file: int | None = None
        self._acknowledged: tuple[FileStamp | None] | None = None
        self._troubles = TroubleLog(log)
        self._is_closed = False
        self._announce()
        self._tombstones = tombstones
        self._stamp = self._tombstones.follow()
        self._pending: Future[None] | None = None
        self._acknowledge()

    def follow(self, drop: Callable[[], "Future[None]"]) -> None:
        """Act on new tombstones, and acknowledge them once that is done; to be called a few times a second.

        Args:
            drop: drops all users who were forgotten from memory, so that nothing of them is begun any more; its future
                ends when what had been begun before has come to its end.
        """
        if not self._is_announced():
            self._announce()
        stamp = self._tombstones.follow()
        if stamp != self._stamp:
            self._stamp, self._pending = stamp, drop()
        elif self._acknowledged != (stamp,) and (self._pending is None or self._pending.done()):
            self._acknowledge()

    def close(self) -> None:
        """Say that nothing is held any more."""
        self._is_closed = True
        if self._file is not None:
            with suppress(OSError):  # the lock goes with the process
                self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def _is_announced(self) -> bool:
        return self._is_closed or (self._file is not None and leads_to(self._path, self._file))

    def _announce(self) -> None:
        """Write the process's note, or write it again where its name was lost, as when its disk was taken away."""
        if self._file is not None:
            os.close(self._file)
        self._file, self._acknowledged = None, None
        try:
            self._footing.stand()
            self._path.parent.mkdir(exist_ok=True)
            self._file = create_locked(self._path, mode=0o644)
        except OSError as error:
            self._wait_for_disk(error)

    def _acknowledge(self) -> None:
        if self._file is not None:
            try:
                os.ftruncate(self._file, 0)
                os.write(self._file, json.dumps(self._stamp).encode())
            except OSError as error:
                self._wait_for_disk(error)
                return
            self._troubles.report("disk", None)
        self._acknowledged = (self._stamp,)

    def _wait_for_disk(self, error: OSError) -> None:
        """Acknowledge later: until then this process counts as one that has not acted."""
        advice = "it is tried again and again, and until then `rankloop forget` cannot count on this process"
        self._troubles.report("disk", f"{self._path} cannot be written ({error}); {advice}")


def await_acknowledgements(home: Home, seconds: float) -> tuple[int, int]:
    """Wait until every process that serves has acted on the newest tombstones.

    Returns:
        How many have, and how many have not within the time.
    """
    stamp, ends = tombstones_stamp(home.tombstones), time.monotonic() + seconds
    folder = home.feedback / FOLDER
    while True:
        notes = [_has_acknowledged(folder / name, stamp) for name in names_in(folder) if name[0].isdigit()]
        living = [note for note in notes if note is not None]
        if all(living) or time.monotonic() >= ends:
            return sum(living), len(living) - sum(living)
        time.sleep(POLL_SECONDS)


def _has_acknowledged(note: Path, stamp: FileStamp | None) -> bool | None:
    """Say whether a process has acted on a state of the tombstones; None for one that is gone, whose note goes too.

    A process whose note cannot be read, such as another user's, counts as one that has not.
    """
    try:
        content = note.read_bytes()
        if FileLock(note).is_held():
            return content == json.dumps(stamp).encode()
    except FileNotFoundError:
        return None
    except OSError:
        return False
    with suppress(OSError):  # a note that stays is looked at again the next time
        note.unlink()
    return None
