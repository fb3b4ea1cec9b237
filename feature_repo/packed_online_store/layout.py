"""The binary layout of one packed row.

::

    0   header   48 bytes: magic, item-code version, event time, created time, schema and revision hash, row length
    48  nulls    one bit a field, set where the value is missing; padded to 8 bytes
    ..  fixed    scalars by falling size; of a variable field (offset in the row, number of elements)
    ..  variable arrays, texts and serialized values, raw, each starting at a multiple of 8

All numbers are little-endian; times are microseconds since 1970 in UTC; a missing float is stored as NaN as well as
in the null bits, so that a matrix of floats is read without looking at them. A row's length is a multiple of 8. Behind
it stands an id that is too long for a key, see ``held_ids``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.backends.backend import ALIGNMENT, HEADER

MAGIC = int.from_bytes(b"RLP1", "little")
NO_TIME = -(2**63)

SCALARS = {
    "bool": "|b1",
    "int8": "|i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "uint8": "|u1",
    "uint16": "<u2",
    "uint32": "<u4",
    "uint64": "<u8",
    "float32": "<f4",
    "float64": "<f8",
    "timestamp": "<i8",
}
ARRAYS = {f"list<{name}>": dtype for name, dtype in SCALARS.items()}
BLOBS = ("text", "bytes", "texts", "blobs", "value")
"""Kept as bytes: a string, bytes, a list of strings, a list of bytes, any other value serialized by the caller."""


@dataclass(frozen=True)
class PackedField:
    """A feature's name and type, one of :data:`SCALARS`, :data:`ARRAYS` or :data:`BLOBS`."""

    name: str
    type: str

    def __post_init__(self) -> None:
        if self.type not in SCALARS and self.type not in ARRAYS and self.type not in BLOBS:
            allowed = ", ".join([*SCALARS, "list<any of these>", *BLOBS])
            raise StoreError(f"feature {self.name}: type {self.type!r} cannot be packed; expected one of {allowed}")

    @property
    def is_scalar(self) -> bool:
        """Return whether the value lies in the fixed part."""
        return self.type in SCALARS

    @cached_property
    def element(self) -> np.dtype[Any]:
        """Type of one element: the scalar itself, an array's element, a blob's byte."""
        return np.dtype(SCALARS.get(self.type) or ARRAYS.get(self.type) or "|u1")


@dataclass(frozen=True)
class PackedSchema:
    """The features of a row in the layout's order, which does not depend on the order of their names."""

    fields: tuple[PackedField, ...]

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise StoreError(f"features {', '.join(twice)} are named twice; expected each once")
        ordered = sorted(self.fields, key=lambda field: (-_fixed_bytes(field), field.type, field.name))
        object.__setattr__(self, "fields", tuple(ordered))

    def __hash__(self) -> int:
        return self.hash

    @classmethod
    def of(cls, types: Mapping[str, str]) -> "PackedSchema":
        """Describe a row by its features' names and types."""
        return cls(tuple(PackedField(name, kind) for name, kind in types.items()))

    @cached_property
    def hash(self) -> int:
        """64 bits that differ when a feature is added, dropped, renamed or retyped, or this layout changes."""
        described = json.dumps(
            [["layout", MAGIC], *([field.name, field.type] for field in self.fields)], ensure_ascii=False
        )
        return hash64(described)

    @cached_property
    def is_even(self) -> bool:
        """Return whether all rows have the same length."""
        return all(field.is_scalar for field in self.fields)

    @cached_property
    def by_name(self) -> dict[str, PackedField]:
        return {field.name: field for field in self.fields}

    @cached_property
    def position(self) -> dict[str, int]:
        """Return a field's place in the layout, which is its place in the null bits."""
        return {field.name: place for place, field in enumerate(self.fields)}

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Return the fixed part of a row as a structured type; its item size is a multiple of 8."""
        null_bytes = _aligned(max(1, -(-len(self.fields) // 8)))
        names, formats, offsets = ["header", "nulls"], [HEADER, np.dtype(("u1", (null_bytes,)))], [0, HEADER.itemsize]
        at = HEADER.itemsize + null_bytes
        for field in self.fields:
            names.append(f"f:{field.name}")
            formats.append(field.element if field.is_scalar else np.dtype(("<u4", (2,))))
            offsets.append(at)
            at += _fixed_bytes(field)
        return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": _aligned(at)})

    @cached_property
    def blank(self) -> NDArray[Any]:
        """Return the fixed part of a row in which everything is missing, shape (1,)."""
        row = np.zeros(1, self.dtype)
        row["nulls"] = 255
        row["header"]["magic"], row["header"]["schema"] = MAGIC, self.hash
        row["header"]["event_time"] = row["header"]["created"] = NO_TIME
        for field in self.fields:
            if field.is_scalar and field.element.kind == "f":
                row[f"f:{field.name}"] = np.nan
        return row

    def field(self, name: str) -> PackedField:
        """Look a feature up.

        Raises:
            StoreError: names the feature that the schema lacks and those it has.
        """
        if name not in self.by_name:
            raise StoreError(f"feature {name!r} is not in the packed rows; expected one of {sorted(self.by_name)}")
        return self.by_name[name]


def hash64(text: str) -> int:
    """Return 64 bits of a text's BLAKE2 digest."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _fixed_bytes(field: PackedField) -> int:
    return field.element.itemsize if field.is_scalar else 8


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
