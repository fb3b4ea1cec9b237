"""Packed rows that were read: as a matrix, as arrays, as texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.backends.backend import ALIGNMENT
from feature_repo.packed_online_store.held_ids import without_held
from feature_repo.packed_online_store.layout import BLOBS, MAGIC, PackedField, PackedSchema
from feature_repo.packed_online_store.text_lists import decode_list


@dataclass(frozen=True)
class RaggedArray:
    """Arrays of n rows in CSR form: row i is ``values[offsets[i]:offsets[i + 1]]``, empty where it is missing."""

    offsets: NDArray[np.int64]
    values: NDArray[Any]

    def row(self, index: int) -> NDArray[Any]:
        """Return one row's elements as a view."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]


class PackedRows:
    """n rows in the order of the keys they were read by; an absent or expired row is missing in every feature."""

    def __init__(
        self,
        schema: PackedSchema,
        rows: list[bytes | None],
        revision: int,
        oldest: int | None = None,
        damaged_is_missing: bool = False,
    ) -> None:
        """Take raw rows (None: absent).

        revision: 64 bits that every row must carry; oldest: event time in microseconds before which a row has expired;
        damaged_is_missing: a row of another layout, schema or revision is missing, and counted in ``damaged``.

        Raises:
            StoreError: a row has another layout, schema or revision, and is not to be missing for it.
        """
        self.schema = schema
        self.damaged = 0
        if damaged_is_missing:
            rows, self.damaged = _without_damaged(schema, rows, revision)
        self._rows = rows
        self._fixed, self.found = _fixed_parts(schema, rows)
        self._check(revision)
        if oldest is not None:
            self._expire(oldest)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def event_time(self) -> NDArray[np.int64]:
        """Event times (n,) in microseconds since 1970 UTC; the smallest integer where a row is missing."""
        return self._fixed["header"]["event_time"]

    @property
    def item_codes(self) -> NDArray[np.uint32]:
        """Item-code versions (n,) that the rows were written with; 0 where a row is missing."""
        return self._fixed["header"]["item_codes"]

    def content(self, place: int) -> bytes | None:
        """Return one row in stored form; None where it is missing."""
        return self._rows[place] if self.found[place] else None

    def matrix(self, columns: Sequence[str], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """Return scalar features as (n, len(columns)), missing as NaN.

        Raises:
            StoreError: a column that is no number (times are read with :meth:`scalars`).
        """
        singles, remaining = _matrix_plan(self.schema, tuple(columns))
        words = self._fixed.view("<f4").reshape(len(self), self._fixed.dtype.itemsize // 4)
        if not remaining:  # then all stand in their order
            return words.take(singles[1], axis=1).astype(dtype, copy=False)
        out = np.empty((len(self), len(columns)), dtype)
        out[:, singles[0]] = words.take(singles[1], axis=1)
        for place, field in remaining:
            out[:, place] = self._fixed[f"f:{field.name}"]
            if field.element.kind != "f":
                out[self._missing(field), place] = np.nan
        return out

    def scalars(self, column: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return a scalar feature in its own type, (n,), and where it is missing, (n,)."""
        field = self._of(column, lambda field: field.is_scalar, "a scalar")
        return self._fixed[f"f:{column}"], self._missing(field)

    def arrays(self, column: str) -> RaggedArray:
        """Return an array feature in CSR form."""
        field = self._of(column, lambda field: field.type.startswith("list<"), "an array")
        starts, counts = self._extents(field)
        pieces = self._pieces(starts, counts * field.element.itemsize)
        offsets = np.zeros(len(self) + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        return RaggedArray(offsets, np.frombuffer(b"".join(pieces), field.element))

    def only_row(self, columns: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[Any]]]:
        """Return array features of a single row that is there, as (offsets, values): views of the row itself.

        Arrays of equal lengths share their offsets.
        """
        (row,) = self._rows
        places, elements = _array_plan(self.schema, tuple(columns))
        extents = self._fixed.view("<u4").take(places).tolist()
        offsets = {count: np.array([0, count]) for count in {count for _, count in extents}}
        return [
            (offsets[count], np.frombuffer(cast(bytes, row), element, count, start))
            for element, (start, count) in zip(elements, extents, strict=True)
        ]

    def missing(self, column: str) -> NDArray[np.bool_]:
        """Say where any feature is missing, (n,)."""
        return self._missing(self.schema.field(column))

    def blobs(self, column: str) -> list[bytes | None]:
        """Return a text, bytes or serialized feature as bytes."""
        field = self._of(column, lambda field: field.type in BLOBS, "text or bytes")
        pieces = self._pieces(*self._extents(field))
        return [None if gone else piece for piece, gone in zip(pieces, self._missing(field).tolist(), strict=True)]

    def texts(self, column: str) -> list[str | None]:
        """Return a text feature."""
        self._of(column, lambda field: field.type == "text", "text")
        return [None if blob is None else blob.decode() for blob in self.blobs(column)]

    def text_lists(self, column: str) -> list[list[str] | None]:
        """Return a feature that is a list of texts."""
        self._of(column, lambda field: field.type == "texts", "a list of texts")
        return [None if blob is None else [item.decode() for item in decode_list(blob)] for blob in self.blobs(column)]

    def _of(self, column: str, fits: Any, expected: str) -> PackedField:
        field = self.schema.field(column)
        if not fits(field):
            raise StoreError(f"feature {column} is packed as {field.type}; expected {expected}: read it as what it is")
        return field

    def _missing(self, field: PackedField) -> NDArray[np.bool_]:
        position = self.schema.position[field.name]
        return (self._fixed["nulls"][:, position // 8] >> (position % 8) & 1).astype(bool)

    def _extents(self, field: PackedField) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        extents = self._fixed[f"f:{field.name}"].astype(np.int64)
        return extents[:, 0], extents[:, 1]

    def _pieces(self, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> list[bytes]:
        ends = (starts + sizes).tolist()
        return [
            b"" if row is None else row[start:end]
            for row, start, end in zip(self._rows, starts.tolist(), ends, strict=True)
        ]

    def _check(self, revision: int) -> None:
        header = self._fixed["header"]
        for name, expected in (("schema", self.schema.hash), ("revision", revision)):
            wrong = self.found & (header[name] != expected)
            if wrong.any():
                value = int(header[name][wrong][0])
                raise StoreError(
                    f"{int(wrong.sum()):,} of {int(self.found.sum()):,} packed rows have {name} {value:x}, expected "
                    f"{expected:x}: they were written for other features; materialize again or read the old revision"
                )

    def _expire(self, oldest: int) -> None:
        expired = self.found & (self.event_time < oldest)
        if expired.any():
            self.found &= ~expired
            self._fixed = self._fixed.copy()
            self._fixed[expired] = self.schema.blank
            self._rows = [row if keep else None for row, keep in zip(self._rows, self.found.tolist(), strict=True)]


def _without_damaged(schema: PackedSchema, rows: list[bytes | None], revision: int) -> tuple[list[bytes | None], int]:
    """Return the rows with None for each that cannot be read as this schema's, and how many these are."""
    size = schema.dtype.itemsize
    long = [row is not None and len(row) >= size for row in rows]
    whole = np.array(long, bool)
    whole[whole] = _are_whole(
        schema, [cast(bytes, row) for row, fits in zip(rows, long, strict=True) if fits], revision
    )
    kept = [row if good else None for row, good in zip(rows, whole.tolist(), strict=True)]
    return kept, kept.count(None) - rows.count(None)


def _are_whole(schema: PackedSchema, rows: list[bytes], revision: int) -> NDArray[np.bool_]:
    """Say which rows, each at least as long as its fixed part, have the right header and keep within their length."""
    fixed = np.frombuffer(b"".join([row[: schema.dtype.itemsize] for row in rows]), schema.dtype)
    header, lengths = fixed["header"], np.array([len(row) for row in rows], np.int64)
    whole = (header["magic"] == MAGIC) & (header["schema"] == schema.hash) & (header["revision"] == revision)
    held = -(-header["held_bytes"].astype(np.int64) // ALIGNMENT) * ALIGNMENT
    whole &= header["row_bytes"] + held == lengths
    for field in schema.fields:
        if not field.is_scalar:
            extents = fixed[f"f:{field.name}"].astype(np.int64)
            whole &= extents[:, 0] + extents[:, 1] * field.element.itemsize <= lengths
    return whole


def _fixed_parts(schema: PackedSchema, rows: list[bytes | None]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the fixed part of every row, blank where it is absent, and which rows are there."""
    size = schema.dtype.itemsize
    whole = cast(list[bytes], rows)
    try:
        joined = b"".join(whole) if schema.is_even else b"".join([row[:size] for row in whole])
        if len(joined) > size * len(rows):  # some hold a long id
            joined = b"".join([without_held(row) for row in whole])
        is_found = np.ones(len(rows), bool)
    except TypeError:  # some are absent
        blank = schema.blank.tobytes()
        joined = b"".join([blank if row is None else row[:size] for row in rows])
        is_found = np.array([row is not None for row in rows])
    if len(joined) != size * len(rows):
        odd = next(
            len(row)
            for row in rows
            if row is not None and (len(row) < size or (schema.is_even and len(without_held(row)) != size))
        )
        raise StoreError(
            f"a packed row has {odd:,} bytes, expected {size:,} from its schema: it was written for other features or "
            "cut short; materialize again or read the old revision"
        )
    return np.frombuffer(joined, schema.dtype), is_found


@lru_cache(maxsize=256)
def _matrix_plan(
    schema: PackedSchema, columns: tuple[str, ...]
) -> tuple[NDArray[np.intp], list[tuple[int, PackedField]]]:
    """Split columns into float32 ones, as (place in the matrix, word in the row), and the others."""
    singles, remaining = [], []
    for place, name in enumerate(columns):
        field = schema.field(name)
        if not field.is_scalar or field.type == "timestamp":
            raise StoreError(f"feature {name} is packed as {field.type}; expected a number in a matrix: leave it out")
        offset = schema.dtype.fields[f"f:{name}"][1]  # type: ignore[index]
        if field.type == "float32":
            singles.append((place, offset // 4))
        else:
            remaining.append((place, field))
    return np.array(singles, np.intp).reshape(-1, 2).T, remaining


@lru_cache(maxsize=256)
def _array_plan(schema: PackedSchema, columns: tuple[str, ...]) -> tuple[NDArray[np.intp], list[np.dtype[Any]]]:
    """Return where a row's words say an array's (start, length), [columns, 2], and the type of its elements."""
    fields = [schema.field(name) for name in columns]
    for field in fields:
        if not field.type.startswith("list<"):
            raise StoreError(
                f"feature {field.name} is packed as {field.type}; expected an array: read it as what it is"
            )
    offsets = [schema.dtype.fields[f"f:{name}"][1] // 4 for name in columns]  # type: ignore[index]
    return np.array(offsets, np.intp).reshape(-1, 1) + np.arange(2), [field.element for field in fields]
