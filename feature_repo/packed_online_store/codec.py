"""Packing an Arrow table into rows: column by column, never cell by cell."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.arrow_columns import RaggedColumn, ragged_column, scalar_column
from feature_repo.packed_online_store.backends.backend import ALIGNMENT
from feature_repo.packed_online_store.layout import MAGIC, PackedSchema

MAX_ROW_BYTES = 2**31


@dataclass(frozen=True)
class RowStamps:
    """The fields of every row's header besides the schema.

    event_time and created: (n,) microseconds since 1970 UTC; revision: 64 bits of the feature service's revision.
    """

    event_time: NDArray[np.int64]
    created: NDArray[np.int64]
    revision: int
    item_codes: int = 0

    def slice(self, start: int, stop: int) -> "RowStamps":
        """Return the stamps of rows start to stop."""
        return RowStamps(self.event_time[start:stop], self.created[start:stop], self.revision, self.item_codes)


def encode_table(schema: PackedSchema, table: pa.Table, stamps: RowStamps, nan_is_missing: bool = True) -> list[bytes]:
    """Pack every row of a table that holds the schema's columns (others are ignored).

    nan_is_missing: a NaN scalar counts as missing, as it does when Feast materializes a table.

    Raises:
        StoreError: a column is absent or does not fit its type.
    """
    absent = [field.name for field in schema.fields if field.name not in table.column_names]
    if absent:
        raise StoreError(f"columns {absent} are not in the table ({table.column_names}); expected every packed feature")
    fixed = _headers(schema, stamps, table.num_rows)
    ragged: dict[str, RaggedColumn] = {}
    for field in schema.fields:
        if field.is_scalar:
            scalar = scalar_column(table.column(field.name), field, nan_is_missing)
            fixed[f"f:{field.name}"] = scalar.values
            _mark_missing(fixed, schema.position[field.name], scalar.missing)
        else:
            ragged[field.name] = ragged_column(table.column(field.name), field)
            _mark_missing(fixed, schema.position[field.name], ragged[field.name].missing)
    return _join_variable(fixed, ragged) if ragged else _split_evenly(fixed)


def _headers(schema: PackedSchema, stamps: RowStamps, rows: int) -> NDArray[Any]:
    fixed = np.zeros(rows, schema.dtype)
    header = fixed["header"]
    header["magic"], header["schema"] = MAGIC, schema.hash
    header["item_codes"], header["revision"] = stamps.item_codes, stamps.revision
    header["event_time"], header["created"] = stamps.event_time, stamps.created
    header["row_bytes"] = schema.dtype.itemsize
    return fixed


def _mark_missing(fixed: NDArray[Any], position: int, missing: NDArray[np.bool_] | None) -> None:
    if missing is not None:
        fixed["nulls"][:, position // 8] |= missing.astype(np.uint8) << (position % 8)


def _split_evenly(fixed: NDArray[Any]) -> list[bytes]:
    whole = fixed.view(f"V{fixed.dtype.itemsize}")
    return whole.tolist()


def _join_variable(fixed: NDArray[Any], ragged: dict[str, RaggedColumn]) -> list[bytes]:
    """Lay the fixed part and every variable part of each row end to end."""
    size = np.full(len(fixed), fixed.dtype.itemsize, np.int64)
    starts: dict[str, NDArray[np.int64]] = {}
    for name, column in ragged.items():
        starts[name] = size
        fixed[f"f:{name}"][:, 0], fixed[f"f:{name}"][:, 1] = size, column.counts
        size = size + -(-column.counts * column.values.itemsize // ALIGNMENT) * ALIGNMENT
    if len(size) and size.max() >= MAX_ROW_BYTES:
        raise StoreError(f"a packed row of {size.max():,} bytes is too long; expected fewer than {MAX_ROW_BYTES:,}")
    fixed["header"]["row_bytes"] = size
    ends = np.cumsum(size)
    row_starts = ends - size
    buffer = np.zeros(int(ends[-1]) if len(ends) else 0, np.uint8)
    words = np.arange(fixed.dtype.itemsize // 8)
    buffer.view("<u8")[(row_starts // 8)[:, None] + words] = fixed.view("<u8").reshape(len(fixed), len(words))
    for name, column in ragged.items():
        _scatter(buffer, row_starts + starts[name], column)
    packed = buffer.tobytes()
    return [packed[start:end] for start, end in pairwise([0, *ends.tolist()])]


def _scatter(buffer: NDArray[np.uint8], starts: NDArray[np.int64], column: RaggedColumn) -> None:
    """Copy each row's run of elements to its byte offset, which is a multiple of the element's size."""
    unit = column.values.itemsize
    source = np.cumsum(column.counts) - column.counts
    target = np.repeat(starts // unit - source, column.counts) + np.arange(len(column.values))
    buffer.view(f"u{unit}")[target] = column.values.view(f"u{unit}")
