"""Replace an LMDB file by one with its live rows only, so that no deleted or overwritten bytes remain.

LMDB never overwrites a page that may still be read: it frees it, with all that stood there; and pages that lead to
others go on naming a key that was deleted (a compact copy takes both the name and the gaps along). So the rows are
written into a new file, which takes the old one's place while no one writes. Processes that have the old file open read
on in it and open the new one before their next transaction; the lock file stays, so the new file counts its
transactions on where the old one stood.
"""

import mmap
import os
import re
import struct
from pathlib import Path
from typing import Any

import lmdb

from components.contracts.errors import StoreError

DATA = "data.mdb"
META_START, META_SIZE = 16, 136  # of each of the first two pages, in the format of LMDB 0.9 on 64 bits
KEY_SIZE = struct.Struct("<H")
LAST = struct.Struct("<Q")  # the number of the last transaction: what a meta record ends with


def replace_compacted(environment: Any, folder: str) -> None:
    """Put a new file of an environment's rows in the place of its file; the environment must then be reopened.

    Raises:
        StoreError: the new file does not hold what the old one holds, which then stays.
    """
    draft = Path(folder) / f".{DATA}.draft"
    with environment.begin(write=True) as writing:  # keeps every other writer away
        last = environment.info()["last_txnid"]
        try:
            _write_rows(environment, writing, draft)
            _count_on(draft, environment.stat()["psize"], last)
            _check(environment, draft, last)
            os.replace(draft, Path(folder) / DATA)
        finally:
            draft.unlink(missing_ok=True)
            writing.abort()
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_rows(environment: Any, reading: Any, draft: Path) -> None:
    """Write all rows in one transaction, the first of the new file."""
    draft.unlink(missing_ok=True)
    copy = lmdb.open(str(draft), subdir=False, lock=False, map_size=environment.info()["map_size"])
    try:
        with copy.begin(write=True) as writing:
            writing.cursor().putmulti(reading.cursor(), append=True)
    finally:
        copy.close()


def _count_on(draft: Path, page: int, last: int) -> None:
    """Give the only transaction of the new file the number that the lock file knows to be the last.

    Of the two meta records, that of a transaction's parity is read; both describe these rows.
    """
    file = os.open(draft, os.O_RDWR | os.O_CLOEXEC)
    try:
        metas = [os.pread(file, META_SIZE, number * page + META_START) for number in (0, 1)]
        newest = max(metas, key=lambda meta: LAST.unpack(meta[-LAST.size :])[0])
        for number in (0, 1):
            counted = last if last % 2 == number else max(last - 1, 0)
            os.pwrite(file, newest[: -LAST.size] + LAST.pack(counted), number * page + META_START)
        os.fsync(file)
    finally:
        os.close(file)


def _check(environment: Any, draft: Path, last: int) -> None:
    copy = lmdb.open(str(draft), subdir=False, lock=False, readonly=True)
    try:
        copied = (copy.info()["last_txnid"], copy.stat()["entries"])
    finally:
        copy.close()
    expected = (last, environment.stat()["entries"])
    if copied != expected:
        raise StoreError(
            f"online store {environment.path()}: a new file holds {copied[1]:,} rows of transaction {copied[0]}, "
            f"expected {expected[1]:,} of {expected[0]}; the store is as it was: delete it, and"
            " `rankloop run` writes it again"
        )


def holds_entity(folder: str, entity: bytes) -> bool:
    """Return whether the file holds a row of an entity anywhere, be it deleted and not overwritten yet.

    entity: as keys end with it, see ``keys``; before a key stands its length, which tells ``12`` from ``1228``.
    """
    path = Path(folder) / DATA
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        pattern = rb"(?s:(..))(rl1/[^\x00:]{1,240}:" + re.escape(entity) + rb")"
        keys = [(found[1], found[2]) for found in re.finditer(pattern, content)]
    return any(KEY_SIZE.unpack(size)[0] == len(key) for size, key in keys)
