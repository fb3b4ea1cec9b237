"""Replacing an LMDB file by a compact copy, so that nothing is left of rows that were deleted or overwritten.

LMDB never overwrites a page that may still be read: it frees it, with all that stood there. A copy of the live pages
takes the file's place while no one writes. Processes that have the old file open read on in it and open the new one
before their next transaction; the lock file stays, so the copy counts its transactions on where the old file stood.
"""

import os
import struct
from pathlib import Path
from typing import Any

import lmdb

from components.contracts.errors import StoreError

DATA = "data.mdb"
META_START, META_SIZE = 16, 136  # of each of the first two pages, in the format of LMDB 0.9 on 64 bits
LAST = struct.Struct("<Q")  # the number of the last transaction: what a meta record ends with


def replace_compacted(environment: Any, folder: str) -> None:
    """Put a compact copy of an environment in the place of its file; the environment must then be opened anew.

    Errors: StoreError where the copy does not hold what the file holds; the file is as it was.
    """
    draft = Path(folder) / f".{DATA}.draft"
    with environment.begin(write=True) as writing:  # keeps every other writer away
        last = environment.info()["last_txnid"]
        try:
            _copy(environment, draft, last)
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


def _copy(environment: Any, draft: Path, last: int) -> None:
    file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        environment.copyfd(file, compact=True)
        _count_on(file, environment.stat()["psize"], last)
        os.fsync(file)
    finally:
        os.close(file)


def _count_on(file: int, page: int, last: int) -> None:
    """Give the copy, whose only transaction is its first, the number that the lock file knows to be the last.

    Of the two meta records, that of a transaction's parity is read; both describe the copy.
    """
    metas = [os.pread(file, META_SIZE, number * page + META_START) for number in (0, 1)]
    newest = max(metas, key=lambda meta: LAST.unpack(meta[-LAST.size :])[0])
    for number in (0, 1):
        counted = last if last % 2 == number else max(last - 1, 0)
        os.pwrite(file, newest[: -LAST.size] + LAST.pack(counted), number * page + META_START)


def _check(environment: Any, draft: Path, last: int) -> None:
    copy = lmdb.open(str(draft), subdir=False, lock=False, readonly=True)
    try:
        found = (copy.info()["last_txnid"], copy.stat()["entries"])
    finally:
        copy.close()
    expected = (last, environment.stat()["entries"])
    if found != expected:
        raise StoreError(
            f"online store {environment.path()}: a compact copy holds {found[1]:,} rows of transaction {found[0]}, "
            f"expected {expected[1]:,} of {expected[0]}; the store is as it was: delete it and materialize again"
        )
