"""The embedded backend: one LMDB file, read by any process while another rewrites it."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import compress
from typing import Any

import lmdb
import numpy as np
from numpy.typing import NDArray

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.backends.backend import ALIGNMENT, HEADER, RowBatch
from feature_repo.packed_online_store.backends.lmdb_environments import environment_of
from feature_repo.packed_online_store.backends.lmdb_integrity import damaged

DAMAGE = (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError, lmdb.PanicError, lmdb.VersionMismatchError)
DELETED_AT_ONCE = 10_000
COMMIT_BYTES = 32 << 20


class LmdbBackend:
    """Rows in the folder of ``lmdb:///folder``; ``?map_size=BYTES`` sets where the map starts (it grows)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._environment = environment_of(url)

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        with self._translated(), self._environment.transaction() as transaction:
            get = transaction.get
            return [get(key) for key in keys]

    def write_newer(self, mark: bytes, batches: Iterable[RowBatch], oldest: bytes, newest: bytes) -> int:
        kept = sum(self._grown(lambda group=group: self._write_group(group)) for group in _commits(batches))
        self.put(mark, newest + os.urandom(8))
        return kept

    def put(self, key: bytes, value: bytes) -> None:
        def write() -> None:
            with self._environment.transaction(write=True) as transaction:
                transaction.put(key, value)

        self._grown(write)

    def delete(self, keys: Sequence[bytes]) -> int:
        def drop() -> int:
            with self._environment.transaction(write=True) as transaction:
                return sum(transaction.delete(key) for key in keys)

        return self._grown(drop)

    def keys(self, prefix: bytes) -> list[bytes]:
        with self._translated(), self._environment.transaction() as transaction:
            return list(_keys_from(transaction, prefix, None))

    def delete_prefix(self, prefix: bytes) -> int:
        def drop_some() -> int:
            with self._environment.transaction(write=True) as transaction:
                keys = list(_keys_from(transaction, prefix, DELETED_AT_ONCE))
                return sum(transaction.delete(key) for key in keys)

        total = 0
        while dropped := self._grown(drop_some):
            total += dropped
        return total

    def scrub(self) -> None:
        with self._translated():
            self._environment.compact()

    def discard_damaged(self) -> None:
        self._environment.discard()

    def close(self) -> None:
        self._environment.close()

    def _write_group(self, group: list[RowBatch]) -> int:
        with self._environment.transaction(write=True) as transaction:
            return sum(_write_batch(transaction, batch) for batch in group)

    def _grown(self, write: Any) -> Any:
        """Run a write transaction, again on a larger map for as long as the map is full."""
        while True:
            try:
                with self._translated():
                    return write()
            except lmdb.MapFullError:
                with self._translated():
                    self._environment.grow()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except lmdb.MapFullError:
            raise
        except DAMAGE as error:
            raise damaged(self._environment.path, str(error)) from error
        except (lmdb.Error, OSError) as error:
            raise StoreError(
                f"online store {self.url}: {error}; expected a folder on a local disk that this user may write: "
                "check its rights and the free space"
            ) from error


def _commits(batches: Iterable[RowBatch]) -> Iterator[list[RowBatch]]:
    """Gather batches into commits: each costs a wait for the disk."""
    group: list[RowBatch] = []
    size = 0
    for batch in batches:
        group.append(batch)
        size += sum(map(len, batch.values))
        if size >= COMMIT_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _write_batch(transaction: Any, batch: RowBatch) -> int:
    """Write the rows that are newer than what stands; return how many were not."""
    get = transaction.get
    standing = [get(key) for key in batch.keys]
    items = list(zip(batch.keys, batch.values, strict=True))
    if any(standing):
        items = list(compress(items, _newer(batch.values, standing).tolist()))
    transaction.cursor().putmulti(items)
    return len(batch.keys) - len(items)


def _newer(rows: list[bytes], standing: list[bytes | None]) -> NDArray[np.bool_]:
    """Say which rows may overwrite what stands under their keys: (event time, created time) is no smaller.

    What is no row of the same layout and schema is newer than none.
    """
    ours, theirs = _headers(rows), _headers(standing)
    held = -(-theirs["held_bytes"].astype(np.int64) // ALIGNMENT) * ALIGNMENT
    is_row = theirs["row_bytes"] + held == [len(row or b"") for row in standing]
    for name in ("magic", "schema", "revision"):
        is_row &= ours[name] == theirs[name]
    same = ours["event_time"] == theirs["event_time"]
    newer = (ours["event_time"] > theirs["event_time"]) | (same & (ours["created"] >= theirs["created"]))
    return newer | ~is_row


def _headers(rows: Sequence[bytes | None]) -> NDArray[Any]:
    """Return the headers of rows, (n,); nothing but zeros where there is none."""
    size = HEADER.itemsize
    return np.frombuffer(b"".join([(row or b"")[:size].ljust(size, b"\0") for row in rows]), HEADER)


def _keys_from(transaction: Any, prefix: bytes, limit: int | None) -> Iterator[bytes]:
    cursor = transaction.cursor()
    if not cursor.set_range(prefix):
        return
    for count, key in enumerate(cursor.iternext(keys=True, values=False)):
        if not key.startswith(prefix) or count == limit:
            return
        yield key
