"""The seam between the client and the store of the rows, which looks at no more of a row than its header."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

ALIGNMENT = 8
HEADER = np.dtype(
    [
        ("magic", "<u4"),
        ("item_codes", "<u4"),
        ("event_time", "<i8"),
        ("created", "<i8"),
        ("schema", "<u8"),
        ("revision", "<u8"),
        ("row_bytes", "<u4"),
        ("held_bytes", "<u4"),
    ]
)
STAMP = slice(8, 24)
"""Where a row keeps (event time, created time): the part that decides which of two rows is the newer."""


@dataclass(frozen=True)
class RowBatch:
    """Rows to be written together: their keys, each once, and packed values."""

    keys: list[bytes]
    values: list[bytes]


class Backend(Protocol):
    """Holds values by key. Every method raises StoreError when the store cannot be reached or written.

    A backend connects when it is first used, may be used by several threads, and survives a fork.
    """

    url: str
    """Where the rows lie, without a password."""

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of keys in their order, None where there is none."""

    def write_newer(self, mark: bytes, batches: Iterable[RowBatch], oldest: bytes, newest: bytes) -> int:
        """Write rows except where a newer one stands; return how many were left as they are.

        Newer is a greater (event time, created time); comparing and writing a row is one step that no other writer
        comes between. oldest, newest: the smallest and greatest stamp among all the rows, as in a row's header.
        mark: a key whose value changes with each write: the newest stamp that any write brought, and a token.
        """

    def put(self, key: bytes, value: bytes) -> None:
        """Write one value, replacing an earlier one."""

    def delete(self, keys: Sequence[bytes]) -> int:
        """Delete keys; return how many there were."""

    def keys(self, prefix: bytes) -> list[bytes]:
        """Return the keys that begin with a prefix, sorted.

        prefix: that of the rows of a view at a revision, or of the catalog's records of a project or a view.
        """

    def delete_prefix(self, prefix: bytes) -> int:
        """Delete all keys that begin with such a prefix; return how many there were."""

    def scrub(self) -> None:
        """Leave nothing in the store's own files of what was deleted or overwritten; readers and writers go on."""

    def discard_damaged(self) -> None:
        """Remove the store's own files after a DamagedStoreError; the next use begins new ones."""

    def close(self) -> None:
        """Let go of connections and files; the next use opens them again."""
