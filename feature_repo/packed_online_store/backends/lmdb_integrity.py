"""Damaged LMDB files: recognised before they are mapped, because a missing page ends a process with a signal.

::

    meta pages against the file's size ──▶ a walk over every page in a child process ──▶ the file is mapped
    before each transaction: the file is no shorter than it was, and its meta pages are still such
"""

import os
import struct
import subprocess
import sys
from pathlib import Path

import lmdb

from components.contracts.errors import DamagedStoreError

MAGIC = struct.pack("<I", 0xBEEFC0DE)
META_AT = 16  # of a meta record in its page, in the format of LMDB 0.9 on 64 bits
PAGE_SIZE_AT = META_AT + 24
LOOK_SECONDS = 60
WALK_SECONDS = 5  # what a larger file holds beyond is not looked at
WALK = """
import sys, time
sys.path.insert(0, sys.argv[2])
import lmdb
ends = time.monotonic() + float(sys.argv[3])
environment = lmdb.open(sys.argv[1], readonly=True, max_readers=int(sys.argv[4]))
rows = environment.open_db()
with environment.begin(buffers=True) as transaction:
    total = count = 0
    for key, value in transaction.cursor():
        total += sum(value[::4096]) + sum(value[-1:])
        count += 1
        if count % 1000 == 0 and time.monotonic() > ends:
            sys.exit(0)
    sys.exit(0 if count == transaction.stat(rows)["entries"] else 3)
"""


def look_into(folder: str, data: str, max_readers: int) -> None:
    """Walk over an environment's file in a child process; an empty file is a new one.

    Raises:
        DamagedStoreError: the child does not come to the end.
    """
    path = Path(folder) / data
    if not path.exists() or not path.stat().st_size:
        return
    if not _has_metas(path):
        raise damaged(folder, "its first pages are not those of an LMDB file")
    packages = str(Path(lmdb.__file__).parents[1])
    words = [sys.executable, "-I", "-S", "-c", WALK, folder, packages, str(WALK_SECONDS), str(max_readers)]
    try:
        ended = subprocess.run(words, capture_output=True, timeout=LOOK_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise damaged(folder, f"looking into it took more than {LOOK_SECONDS} seconds") from error
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        why = said[-1] if said else f"a process that looked into it ended with code {ended.returncode}"
        raise damaged(folder, why)


def damaged(folder: str, why: str) -> DamagedStoreError:
    """Return the error that says how a store's file is damaged."""
    return DamagedStoreError(
        f"online store lmdb://{folder}: its file is damaged ({why}); expected one that was cut short or overwritten by"
        " nobody: `rankloop run` replaces it and writes the rows again"
    )


def _has_metas(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(PAGE_SIZE_AT + 4)
        page = int.from_bytes(head[PAGE_SIZE_AT:], "little")
        file.seek(page)
        second = file.read(META_AT + len(MAGIC))
    return head[META_AT:].startswith(MAGIC) and second[META_AT:] == MAGIC


class OpenFiles:
    """The data and lock files of an environment that is open, looked at before each transaction."""

    def __init__(self, folder: str, data: str) -> None:
        """Open both; the folder holds them."""
        self._folder = folder
        self._data = os.open(os.path.join(folder, data), os.O_RDONLY | os.O_CLOEXEC)
        self._lock = os.open(os.path.join(folder, "lock.mdb"), os.O_RDONLY | os.O_CLOEXEC)
        self._page = int.from_bytes(os.pread(self._data, 4, PAGE_SIZE_AT), "little")
        self._sizes = [os.fstat(self._data).st_size, os.fstat(self._lock).st_size]

    def check(self) -> None:
        """Check that a file was not truncated, nor its first pages overwritten, since it was opened.

        Raises:
            DamagedStoreError: somebody did.
        """
        for place, descriptor in enumerate((self._data, self._lock)):
            size = os.fstat(descriptor).st_size
            if size < self._sizes[place]:
                raise damaged(
                    self._folder, f"it was cut from {self._sizes[place]:,} to {size:,} bytes while it was open"
                )
            self._sizes[place] = size
        first, second = os.pread(self._data, 4, META_AT), os.pread(self._data, 4, self._page + META_AT)
        if not first == second == MAGIC:
            raise damaged(self._folder, "its first pages were overwritten while it was open")

    def is_lock_whole(self) -> bool:
        """Return whether the lock file may still be touched."""
        return os.fstat(self._lock).st_size >= self._sizes[1]

    def close(self) -> None:
        """Let go of the files."""
        os.close(self._data)
        os.close(self._lock)
