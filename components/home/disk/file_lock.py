"""Locks on files: the kernel lets go of one when the last process that holds its descriptor ends.

A lock is taken on a file that no write replaces: on one of its own beside a document, or on a folder.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.home.disk.durable import make_folder_durably, sync_folder


@dataclass(frozen=True)
class FileLock:
    """The lock of one file; processes exclude each other by it, and so do threads."""

    path: Path

    @contextmanager
    def held(self) -> Iterator[int]:
        """Wait for the lock, hold it while the block runs, and give the file's descriptor.

        Raises:
            OSError: the file cannot be created or locked.
        """
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def tried(self) -> Iterator[int | None]:
        """Hold the lock while the block runs as ``held`` does; None at once if somebody else has it."""
        descriptor = self._open()
        try:
            yield descriptor if try_lock(descriptor) else None
        finally:
            os.close(descriptor)

    def is_held(self) -> bool:
        """Say whether anybody holds the lock now.

        Raises:
            FileNotFoundError: there is no such file.
            OSError: it cannot be opened.
        """
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return not try_lock(descriptor, shared=True)
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        if self.path.is_dir():
            return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        make_folder_durably(self.path.parent)
        return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def try_lock(descriptor: int, shared: bool = False) -> bool:
    """Lock an open file unless somebody else has; a shared lock excludes exclusive ones alone."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def create_locked(path: Path, mode: int) -> int:
    """Create a file to append to that is locked before it has its name, and return its descriptor.

    Readers tell by ``FileLock.is_held`` whether its process still lives.

    Raises:
        OSError: it cannot be created.
    """
    draft = path.with_name(f".{path.name}")
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, mode)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.rename(path)
        sync_folder(path.parent)
    except BaseException:
        os.close(descriptor)
        draft.unlink(missing_ok=True)
        raise
    return descriptor
