"""The lock of a home: one run at a time; readers do not ask for it.

The holder is the run, not a process: its first step takes the home, each step holds it while it works, and the exit
handler lets it go. ``RunLock`` is what steps know of it; a folder has a flock, a bucket a lease.

::

    runner on a laptop   ├──────────────── held alone, for every step ────────────────┤
    steps without one    ├ acquire ┤├ hold ┤   (the name stands)   ├ hold ┤├ hold ┤├ release ┤
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from components.home.layout import Home
from components.home.runs.folder_lock import FolderLock
from components.home.runs.holder import LockHolder
from components.home.runs.lease_lock import LeaseLock


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

    def hold_alone(self, name: str) -> AbstractContextManager[int | None]:
        """Hold the home for a run and all its steps, or for other work of that name.

        Yields a file descriptor that children must inherit to hold the home too; None where they need not.

        Raises:
            ConfigurationError: the home cannot be written.
            HomeBusyError: another run has it.
        """

    def holder(self) -> LockHolder | None:
        """Return who holds the home now, if anyone does."""


def run_lock(home: Home) -> RunLock:
    """Return the lock of a home for its runs."""
    root = home.root
    return FolderLock(root) if isinstance(root, Path) else LeaseLock(root)


def hold_lock(home: Home, name: str) -> AbstractContextManager[int | None]:
    """Hold a home alone, as ``RunLock.hold_alone``."""
    return run_lock(home).hold_alone(name)


def lock_holder(home: Home) -> LockHolder | None:
    """Return who holds a home now, as ``RunLock.holder``."""
    return run_lock(home).holder()
