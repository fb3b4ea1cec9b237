"""Processes that hold users' data in memory say which tombstones they have acted on.

Each keeps a small file open, locked for as long as it lives. ``rankloop forget`` writes the tombstone, waits until
every such process has acted on it, and erases then: nothing of the user comes after.
"""

import fcntl
import json
import logging
import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from components.contracts.errors import ConfigurationError
from components.feedback.journal.footing import Footing, leads_to
from components.feedback.trouble_log import TroubleLog
from components.home.layout import Home
from components.home.presence import names_in
from components.home.tombstones import Mark, Tombstones, tombstones_mark

FOLLOWERS = "followers"
POLL_SECONDS = 0.1
log = logging.getLogger("rankloop.feedback")


class LastKnown:
    """Tombstones as they were when last read whole; any thread may ask.

    A file that breaks, is gone or cannot be reached changes nothing, and is told of once in the log for as long as its
    trouble stays the same.
    """

    def __init__(self, path: Path) -> None:
        """Read ``home.tombstones``.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        self._tombstones = Tombstones(path)
        self._looking = Lock()
        self._troubles = TroubleLog(log)

    def __contains__(self, user_id: object) -> bool:
        """Whether a user was forgotten, as far as the file was followed."""
        return isinstance(user_id, str) and user_id in self._tombstones

    def follow(self) -> Mark | None:
        """Look at the file: microseconds. Return which state of it is known."""
        with self._looking:
            try:
                self._tombstones.follow()
                self._troubles.end()
            except ConfigurationError as error:
                self._troubles.say(f"{error}; until then who was known to be forgotten stays so")
            return self._tombstones.mark


class Follower:
    """Says, for a process that serves, which tombstones it has acted on; one thread follows."""

    def __init__(self, home: Home, known: LastKnown) -> None:
        """Announce the process, then look at the tombstones again: in this order no forgetting is missed.

        Args:
            known: what everything in the process asks who was forgotten.
        """
        self._path = home.feedback / FOLLOWERS / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._footing = Footing(home.feedback)
        self._file: int | None = None
        self._said: tuple[Mark | None] | None = None
        self._refused = self._is_closed = False
        self._announce()
        self._known = known
        self._met = self._known.follow()
        self._say()

    def follow(self, drop: Callable[[], None], is_settled: Callable[[], bool]) -> None:
        """Act on new tombstones, and say so once everything has settled; to be called a few times a second.

        Args:
            drop: drops all users who were forgotten from memory; from then on nothing of them is begun.
            is_settled: whether what had been begun before that has come to its end.
        """
        if not self._is_announced():
            self._announce()
        mark = self._known.follow()
        if mark != self._met:
            self._met = mark
            drop()
        elif self._said != (self._met,) and is_settled():
            self._say()

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
        self._file, self._said = None, None
        try:
            self._footing.stand()
            self._file = _new_note(self._path)
        except OSError as error:
            self._wait_for_disk(error)

    def _say(self) -> None:
        if self._file is not None:
            try:
                os.ftruncate(self._file, 0)
                os.pwrite(self._file, json.dumps(self._met).encode(), 0)
            except OSError as error:
                self._wait_for_disk(error)
                return
            self._refused = False
        self._said = (self._met,)

    def _wait_for_disk(self, error: OSError) -> None:
        """Say it later: until then this process counts as one that has not acted."""
        if not self._refused:
            advice = "it is tried again and again, and until then `rankloop forget` cannot count on this process"
            log.warning("%s cannot be written (%s); %s", self._path, error, advice)
        self._refused = True


def _new_note(path: Path) -> int:
    """Open a process's note, locked before it has its name.

    Raises:
        OSError: the folder cannot be written.
    """
    draft = path.with_name(f".{path.name}")
    path.parent.mkdir(exist_ok=True)
    file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        draft.rename(path)
    except OSError:
        os.close(file)
        raise
    return file


def await_followers(home: Home, seconds: float) -> tuple[int, int]:
    """Wait until every process that follows has acted on the newest tombstones.

    Returns:
        How many have, and how many have not within the time.
    """
    mark, ends = tombstones_mark(home.tombstones), time.monotonic() + seconds
    while True:
        notes = [home.feedback / FOLLOWERS / name for name in names_in(home.feedback / FOLLOWERS) if name[0].isdigit()]
        said = [_has_said(path, mark) for path in notes]
        living = [each for each in said if each is not None]
        if all(living) or time.monotonic() >= ends:
            return sum(living), len(living) - sum(living)
        time.sleep(POLL_SECONDS)


def _has_said(path: Path, mark: Mark | None) -> bool | None:
    """Whether a process has acted on a state of the file; None for one that is gone, whose note goes too.

    A process whose note cannot be read, such as another user's, counts as one that has not.
    """
    try:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read() == json.dumps(mark).encode()
    except FileNotFoundError:
        return None
    except OSError:
        return False
    with suppress(OSError):  # a note that stays is looked at again the next time
        path.unlink()
    return None
