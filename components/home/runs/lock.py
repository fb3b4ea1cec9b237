"""The lock of a home: one run at a time; readers do not ask for it.

The holder is the run, not a process: its first step takes the home, each step holds it while it works, and the exit
handler lets it go. ``RunLock`` is what steps know of it, so that another home than a folder can have another lock.

::

    runner on a laptop   ├──────────────── flock, inherited by every step ────────────────┤
    steps without one    ├ acquire ┤├ hold ┤   (the name stands)   ├ hold ┤├ hold ┤├ release ┤
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Protocol

from components.contracts.errors import ConfigurationError, HomeBusyError
from components.home.disk.file_lock import FileLock, try_lock
from components.home.layout import Home

DYING_SECONDS = 3.0  # how long the processes of a killed run may take to go


@dataclass(frozen=True)
class LockHolder:
    """Who holds, or last held, a home's lock."""

    pid: int
    run_id: str


class RunLock(Protocol):
    """What the steps of a run ask of the lock of its home; they may be processes on many machines."""

    def acquire(self, run_id: str) -> None:
        """Take the home for a run that begins.

        Raises:
            ConfigurationError: the home cannot be written.
            HomeBusyError: another run has it.
        """

    def hold(self, run_id: str) -> AbstractContextManager[None]:
        """Hold the home while a step of the run that took it works.

        Raises:
            HomeBusyError: the home went to another, at the step's begin or while it worked.
        """

    def release(self, run_id: str) -> None:
        """Let go of the home when the run has ended; one that went to another is left to it."""


def run_lock(home: Home) -> RunLock:
    """Return the lock of a home for its runs: a folder has a flock."""
    return FolderLock(home)


class FolderLock:
    """A flock on the file ``lock``, which names its holder.

    A laptop's runner has it from before the first step until after the last one. Without a runner the steps of a run
    share it while they work; in between the name stands, and another run may replace it: then the first one ends.
    """

    def __init__(self, home: Home) -> None:
        self._home = home

    def acquire(self, run_id: str) -> None:
        """Note the run as the holder, unless its runner has done so."""
        if not self._is_held_by_runner(run_id):
            with hold_lock(self._home, run_id):
                pass

    @contextmanager
    def hold(self, run_id: str) -> Iterator[None]:
        """Share the flock with the other steps of the run, unless its runner holds it for all of them."""
        if self._is_held_by_runner(run_id):
            yield
            return
        with _locked(self._home, shared=True):
            self._require_note_of(run_id)
            yield

    def release(self, run_id: str) -> None:
        """Take the run's name off the lock; a runner lets go by itself."""
        if not self._is_held_by_runner(run_id):
            with suppress(HomeBusyError), self.hold(run_id):
                os.truncate(self._home.lock, 0)

    def _is_held_by_runner(self, run_id: str) -> bool:
        holder = _noted(self._home)
        return holder is not None and holder.run_id == run_id and not _is_free(self._home, shared=True)

    def _require_note_of(self, run_id: str) -> None:
        holder = _noted(self._home)
        if holder is None or holder.run_id != run_id:
            other = f"run {holder.run_id}" if holder else "nobody"
            raise HomeBusyError(
                f"home {self._home.root}: found it taken by {other}, expected run {run_id}, which has lost it between "
                "two steps; nothing that it finished is lost: run it again when the home is free"
            )


@contextmanager
def hold_lock(home: Home, run_id: str) -> Iterator[int]:
    """Hold the lock alone; yield its file descriptor, which children inherit so that they hold it too.

    Raises:
        ConfigurationError: the home cannot be written.
        HomeBusyError: another run holds the lock.
    """
    with _locked(home) as descriptor:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(LockHolder(os.getpid(), run_id))).encode(), 0)
        yield descriptor


def lock_holder(home: Home) -> LockHolder | None:
    """Return who holds the lock now, alone or as steps that share it, if anyone does."""
    return None if _is_free(home, shared=False) else _noted(home) or LockHolder(0, "unknown")


def _is_free(home: Home, shared: bool) -> bool:
    """Say whether the lock could be taken now, alone or shared."""
    try:
        descriptor = os.open(home.lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    with FileLock(home.root).held():  # nobody finds the lock taken by this look
        try:
            return try_lock(descriptor, shared)
        finally:
            os.close(descriptor)


@contextmanager
def _locked(home: Home, shared: bool = False) -> Iterator[int]:
    try:
        home.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ConfigurationError(
            f"home {home.root}: cannot be written ({error.strerror}); name another with --home"
        ) from error
    try:
        _flock(descriptor, shared, home)
        yield descriptor
    finally:
        os.close(descriptor)


def _flock(descriptor: int, shared: bool, home: Home) -> None:
    deadline = time.monotonic() + DYING_SECONDS
    while True:
        with FileLock(home.root).held():
            if try_lock(descriptor, shared):
                return
        holder = _noted(home)
        if (holder is not None and _is_alive(holder.pid)) or time.monotonic() > deadline:
            who = f"run {holder.run_id} (process {holder.pid})" if holder else "another run"
            raise HomeBusyError(f"home {home.root}: {who} is at work in it; wait for it to end, or name another --home")
        time.sleep(0.05)


def _noted(home: Home) -> LockHolder | None:
    try:
        return LockHolder(**json.loads(home.lock.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
