"""Where the store's keys lie in a Redis: in hashes below one prefix.

::

    <prefix>:rl1/<project>/<view>/<revision>:     the rows of a view, by entity
    <prefix>:rl1-view/<project>/                  the catalog, by view and revision
    <prefix>:<key>                                one field without a name: each other key

A Redis that several shops share keeps them apart by prefix: a user of its access control list may be limited to the
keys below one. Rows are fields, because no list limits SCAN, which shows the names of all keys and so the users of
other shops; the fields of a hash are seen by who may read the hash.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.backends.backend import RowBatch

PREFIX = "rankloop"
OPTION = "prefix"
EXPECTED = "expected a prefix of 1 to 64 letters, digits, `_`, `.` and `-`, such as ?prefix=my_shop"
_HASH = re.compile(rb"rl1/[^:]*:|rl1-view/[^/]*/|(?s:.*)")


class Fields(NamedTuple):
    """Some fields of a hash."""

    name: bytes
    fields: list[bytes]


class RowFields(NamedTuple):
    """Some fields of a hash with their values: rows of one view."""

    name: bytes
    fields: list[bytes]
    values: list[bytes]


def split_url(url: str) -> tuple[str, str]:
    """Return a Redis URL without its prefix, and the prefix.

    Raises:
        StoreError: a prefix that a pattern of keys could not hold as it is.
    """
    address, _, query = url.partition("?")
    options = parse_qsl(query, keep_blank_values=True)
    prefix = dict(options).get(OPTION, PREFIX)
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", prefix):
        raise StoreError(f"online store URL: found the prefix {prefix!r}, {EXPECTED}")
    rest = urlencode([(name, value) for name, value in options if name != OPTION])
    return address + (f"?{rest}" if rest else ""), prefix


class Hashes:
    """The hashes below a prefix."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.encode() + b":"

    def place(self, key: bytes) -> tuple[bytes, bytes]:
        """Return the hash of a key, and its field there; of a prefix of keys, what their fields begin with."""
        head = _head(key)
        return self._prefix + head, key[len(head) :]

    def key(self, name: bytes, field: bytes) -> bytes:
        """Return the key that lies at a field of a hash."""
        return name[len(self._prefix) :] + field

    def split(self, keys: Sequence[bytes]) -> list[Fields]:
        """Return where keys lie, in their order."""
        if not keys:
            return []
        head = _head(keys[0])
        if head.endswith(b":") and min(keys).startswith(head) and max(keys).startswith(head):  # so do all between
            return [Fields(self._prefix + head, [key[len(head) :] for key in keys])]
        return [
            Fields(self._prefix + head, [key[len(head) :] for key in group]) for head, group in groupby(keys, _head)
        ]

    def rows(self, batches: Iterable[RowBatch]) -> Iterator[RowFields]:
        """Return where the rows of batches lie; a batch that holds several views is taken apart."""
        for batch in batches:
            at = 0
            for part in self.split(batch.keys):
                yield RowFields(part.name, part.fields, batch.values[at : at + len(part.fields)])
                at += len(part.fields)


def _head(key: bytes) -> bytes:
    match = _HASH.match(key)
    assert match is not None  # the last alternative takes anything
    return match[0]
