"""Ids that are longer than a key may be: the key is their digest, and the row's end holds the id.

::

    row | id, filled up to a multiple of 8 bytes          the header says how long the id is
"""

from collections.abc import Mapping, Sequence
from struct import Struct
from typing import TYPE_CHECKING

from feature_repo.packed_online_store.backends.backend import ALIGNMENT, HEADER
from feature_repo.packed_online_store.keys import entity_part, is_digest, table_entities

if TYPE_CHECKING:
    import pyarrow as pa

WORD = Struct("<I")
ROW_BYTES, HELD_BYTES = (HEADER.fields[name][1] for name in ("row_bytes", "held_bytes"))  # type: ignore[index]


def long_entities(
    prefix: bytes, join_keys: tuple[str, ...], table: "pa.Table", keys: Sequence[bytes]
) -> dict[bytes, bytes]:
    """Return the entities of those of a table's rows whose key is a digest, by their keys."""
    places = [place for place, key in enumerate(keys) if is_digest(prefix, key)]
    return {keys[place]: entity for place, entity in zip(places, table_entities(join_keys, table, places), strict=True)}


def hold_entities(rows: list[bytes], keys: Sequence[bytes], entities: Mapping[bytes, bytes]) -> list[bytes]:
    """Put the long entities of some rows behind them."""
    if not entities:
        return rows
    return [_holding(row, entities[key]) if key in entities else row for row, key in zip(rows, keys, strict=True)]


def held_text(row: bytes | None) -> str | None:
    """Return the text that a row holds as its id; None where it holds none, or another type."""
    if row is None or len(row) < HEADER.itemsize:
        return None
    (size,) = WORD.unpack_from(row, HELD_BYTES)
    (start,) = WORD.unpack_from(row, ROW_BYTES)
    entity = row[start : start + size]
    return entity[1:].decode(errors="replace") if size and entity[:1] == entity_part("") else None


def without_held(row: bytes) -> bytes:
    """Return a row without the id that it holds behind all else."""
    if len(row) < HEADER.itemsize:
        return row
    (size,) = WORD.unpack_from(row, HELD_BYTES)
    return row[: len(row) - _filled(size)] if size else row


def _holding(row: bytes, entity: bytes) -> bytes:
    head = row[:HELD_BYTES] + WORD.pack(len(entity)) + row[HELD_BYTES + WORD.size :]
    return head + entity.ljust(_filled(len(entity)), b"\0")


def _filled(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
