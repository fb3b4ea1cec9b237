"""Keys of the store.

::

    rl1/<project>/<view>/<revision>:<entity>      a row
    rl1-mark/<project>/<view>/<revision>          the newest stamp that a bulk write brought
    rl1-view/<project>/<view>/<revision>          the catalog's record of the view
    rl1-inventory/<project>/<revision>            how many rows of each view a run put there
    rl1-catalogue/<project>                       the shop's words for its products
    rl1-clock/<project>                           the home's clock

In a Redis they lie in hashes, see ``backends/redis_hashes``.

An entity of one join key is its value: ``s`` and the text, ``b`` and the bytes, ``i`` and the number, ``t`` and the
seconds since 1970 (8 bytes, big-endian). Of several join keys, the values follow by the keys' names in alphabetical
order, each behind its length (4 bytes). An entity that is too long for LMDB's keys is replaced by ``#`` and
its digest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.layout import hash64

if TYPE_CHECKING:
    import pyarrow as pa

MAX_NAMESPACE = 240
MAX_ENTITY = 240
TEXT = b"s"
"""What the entity of a text begins with."""
DIGEST = b"#"
"""What the digest of an entity begins with that is too long for a key; the row holds it then, see ``held_ids``."""

Key = str | bytes | int | datetime


@dataclass(frozen=True)
class Namespace:
    """The rows of one view at one revision of the feature service."""

    project: str
    view: str
    revision: str

    def __post_init__(self) -> None:
        if len(self._path) > MAX_NAMESPACE:
            raise StoreError(
                f"project, view and revision make a key of {len(self._path)} bytes ({self._path.decode()}); "
                f"expected at most {MAX_NAMESPACE}: shorten the names"
            )

    @cached_property
    def _path(self) -> bytes:
        return "/".join(quote(part, safe="") for part in (self.project, self.view, self.revision)).encode()

    @cached_property
    def rows(self) -> bytes:
        """Prefix of the keys of all rows."""
        return b"rl1/" + self._path + b":"

    @property
    def mark(self) -> bytes:
        return b"rl1-mark/" + self._path

    @property
    def catalog(self) -> bytes:
        return b"rl1-view/" + self._path

    @cached_property
    def revision_hash(self) -> int:
        return hash64(self.revision)


def catalog_prefix(project: str, view: str | None = None) -> bytes:
    """Return what the catalog's keys of a project, or of one view, begin with."""
    return ("rl1-view/" + quote(project, safe="") + "/" + (quote(view, safe="") + "/" if view else "")).encode()


def inventory_key(project: str, revision: str) -> bytes:
    """Return the key of a run's inventory of a revision."""
    return ("rl1-inventory/" + quote(project, safe="") + "/" + quote(revision, safe="")).encode()


def catalogue_key(project: str) -> bytes:
    """Return the key of the words for a project's products."""
    return b"rl1-catalogue/" + quote(project, safe="").encode()


def clock_key(project: str) -> bytes:
    """Return the key of a project's clock."""
    return b"rl1-clock/" + quote(project, safe="").encode()


def row_keys(prefix: bytes, join_keys: tuple[str, ...], values: Sequence[Any] | np.ndarray[Any, Any]) -> list[bytes]:
    """Return the keys of rows; values: one a row, or a tuple a row in the order of several join keys.

    Raises:
        StoreError: a value that is no text, bytes, whole number or time.
    """
    plain = values.tolist() if isinstance(values, np.ndarray) else values
    if len(join_keys) > 1:
        order = sorted(range(len(join_keys)), key=lambda place: join_keys[place])
        return _whole_keys(prefix, [_composite(join_keys, order, row) for row in plain])
    keys = _text_keys(prefix + TEXT, plain) or [prefix + entity_part(value) for value in plain]
    if keys and max(map(len, keys)) > len(prefix) + MAX_ENTITY:
        return _whole_keys(prefix, [key[len(prefix) :] for key in keys])
    return keys


def table_keys(prefix: bytes, join_keys: tuple[str, ...], table: "pa.Table") -> list[bytes]:
    """Return the keys of a table's rows.

    Raises:
        StoreError: a join key is absent, or missing in a row.
    """
    values = _key_values(join_keys, table)
    return row_keys(prefix, join_keys, values)


def table_entities(join_keys: tuple[str, ...], table: "pa.Table", places: Sequence[int]) -> list[bytes]:
    """Return the whole entities of some of a table's rows, however long they are."""
    values = _key_values(join_keys, table.take(places)) if places else []
    if len(join_keys) == 1:
        return [entity_part(value) for value in values]
    order = sorted(range(len(join_keys)), key=lambda place: join_keys[place])
    return [_composite(join_keys, order, row) for row in values]


def is_digest(prefix: bytes, key: bytes) -> bool:
    """Return whether a key holds the digest of an entity in its place."""
    return key.startswith(DIGEST, len(prefix))


def _key_values(join_keys: tuple[str, ...], table: "pa.Table") -> list[Any]:
    """Return a table's join keys by row: values of one, tuples of several."""
    columns = []
    for name in join_keys:
        if name not in table.column_names:
            raise StoreError(f"join key {name} is not in the table ({table.column_names}); expected every join key")
        column = table.column(name)
        if column.null_count:
            raise StoreError(f"join key {name} is missing in {column.null_count:,} of {len(column):,} rows; drop them")
        columns.append(column.to_pylist())
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def entity_key(prefix: bytes, parts: dict[str, Key]) -> bytes:
    """Return one row's key from its join keys by name."""
    return _whole_keys(prefix, [entity_of(parts)])[0]


def entity_of(parts: dict[str, Key]) -> bytes:
    """Return one row's whole entity from its join keys by name."""
    if len(parts) == 1:
        return entity_part(next(iter(parts.values())))
    return b"".join(_with_length(entity_part(parts[name])) for name in sorted(parts))


def entity_part(value: Key) -> bytes:
    """Write one join key's value so that values of different types never meet."""
    if isinstance(value, str):
        return TEXT + value.encode()
    if isinstance(value, bytes):
        return b"b" + value
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return b"t" + int(aware.timestamp() // 1).to_bytes(8, "big", signed=True)
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return b"i" + int(value).to_bytes(8, "big", signed=True)
    raise StoreError(
        f"join key {value!r} is a {type(value).__name__}; expected a text, bytes, a whole number or a time"
    )


def _text_keys(prefix: bytes, texts: Sequence[Any]) -> list[bytes] | None:
    """Prefix texts in two passes of C; None where one is no text, or holds the character that sets them apart."""
    head = prefix.decode()
    try:
        keys = (head + ("\0" + head).join(texts)).encode().split(b"\0")
    except TypeError:
        return None
    return keys if len(keys) == len(texts) else None


def _composite(join_keys: tuple[str, ...], order: list[int], row: Sequence[Key]) -> bytes:
    if isinstance(row, str | bytes) or len(row) != len(join_keys):
        raise StoreError(
            f"key {row!r} does not fit the join keys {join_keys}; expected a tuple of {len(join_keys)} values"
        )
    return b"".join(_with_length(entity_part(row[place])) for place in order)


def _with_length(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


def _whole_keys(prefix: bytes, entities: list[bytes]) -> list[bytes]:
    return [
        prefix + (entity if len(entity) <= MAX_ENTITY else DIGEST + blake2b(entity).digest()) for entity in entities
    ]
