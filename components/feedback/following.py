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
from components.contracts.home import Home
from components.contracts.presence import names_in
from components.contracts.tombstones import Mark, Tombstones, tombstones_mark

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
        self._said: str | None = None

    def __contains__(self, user_id: object) -> bool:
        """Whether a user was forgotten, as far as the file was followed."""
        return isinstance(user_id, str) and user_id in self._tombstones

    def follow(self) -> Mark | None:
        """Look at the file: microseconds. Return which state of it is known."""
        with self._looking:
            try:
                self._tombstones.follow()
                self._said = None
            except ConfigurationError as error:
                self._say(str(error))
            return self._tombstones.mark

    def _say(self, trouble: str) -> None:
        if trouble != self._said:
            log.warning("%s; until then who was known to be forgotten stays so", trouble)
        self._said = trouble


class Follower:
    """Says, for a process that serves, which tombstones it has acted on; one thread follows."""

    def __init__(self, home: Home, known: LastKnown) -> None:
        """Announce the process, then look at the tombstones again: in this order no forgetting is missed.

        Args:
            known: what everything in the process asks who was forgotten.
        """
        self._path, self._file = _announced(home.feedback / FOLLOWERS)
        self._known = known
        self._said: tuple[Mark | None] | None = None
        self._met = self._known.follow()
        self._refused = False
        self._say()

    def follow(self, drop: Callable[[], None], is_settled: Callable[[], bool]) -> None:
        """Act on new tombstones, and say so once everything has settled; to be called a few times a second.

        Args:
            drop: drops all users who were forgotten from memory; from then on nothing of them is begun.
            is_settled: whether what had been begun before that has come to its end.
        """
        mark = self._known.follow()
        if mark != self._met:
            self._met = mark
            drop()
        elif self._said != (self._met,) and is_settled():
            self._say()

    def close(self) -> None:
        """Say that nothing is held any more."""
        if self._file is not None:
            with suppress(OSError):  # the lock goes with the process
                self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def _say(self) -> None:
        if self._file is not None:
            try:
                os.ftruncate(self._file, 0)
                os.pwrite(self._file, json.dumps(self._met).encode(), 0)
            except OSError as error:
                self._wait_for_disk(error)
                return
        self._said, self._refused = (self._met,), False

    def _wait_for_disk(self, error: OSError) -> None:
        """Say it later: until then this process counts as one that has not acted."""
        if not self._refused:
            log.warning("%s cannot be written (%s); it is tried again and again", self._path, error)
        self._refused = True


def _announced(folder: Path) -> tuple[Path, int | None]:
    """A process's note, locked before it has its name; no file where the folder cannot be written, nor a log."""
    path = folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    draft = path.with_name(f".{path.name}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        fcntl.flock(file, fcntl.LOCK_EX)
        draft.rename(path)
    except OSError as error:
        log.warning("%s cannot be written (%s); `rankloop forget` cannot wait for this process", folder, error)
        return path, None
    return path, file


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
