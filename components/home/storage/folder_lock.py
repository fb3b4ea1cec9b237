"""A lock beside a file, for those that change it: the kernel ends it with its process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.home.durable import make_folder_durably


@contextmanager
def folder_lock(path: Path) -> Iterator[None]:
    """Hold the lock of a file, on a file of its own that no write replaces, waiting for whoever has it."""
    make_folder_durably(path.parent)
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
