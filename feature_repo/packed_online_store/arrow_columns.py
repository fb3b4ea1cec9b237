"""Arrow columns as the plain NumPy arrays that the codec lays out."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.layout import NO_TIME, PackedField, PackedSchema
from feature_repo.packed_online_store.text_lists import encode_list

CAN_HOLD_GAPS = ("list<float32>", "list<float64>", "list<timestamp>")
TIMESTAMP = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class ScalarColumn:
    """n values and where they are missing (None: nowhere); a missing float is NaN, any other missing value 0."""

    values: NDArray[Any]
    missing: NDArray[np.bool_] | None


@dataclass(frozen=True)
class RaggedColumn:
    """n runs of elements laid end to end: counts (n,), flat values, and where a whole run is missing."""

    counts: NDArray[np.int64]
    values: NDArray[Any]
    missing: NDArray[np.bool_] | None


def packed_schema(schema: pa.Schema, exclude: Iterable[str] = ()) -> PackedSchema:
    """Describe a row by the columns of an Arrow schema, without those that are keys or timestamps of the row.

    Raises:
        StoreError: a type that has to be serialized first.
    """
    left_out = set(exclude)
    return PackedSchema.of({field.name: packed_type(field) for field in schema if field.name not in left_out})


def packed_type(field: "pa.Field[Any]") -> str:
    """Name the packed type of an Arrow column.

    Raises:
        StoreError: a type that has to be serialized first (maps, structs, nested lists, decimals).
    """
    kind = field.type
    if _is_list(kind):
        if _is_text(kind.value_type):
            return "texts"
        if _is_binary(kind.value_type):
            return "blobs"
        return f"list<{_scalar_type(field, kind.value_type)}>"
    if _is_text(kind):
        return "text"
    return "bytes" if _is_binary(kind) else _scalar_type(field, kind)


def scalar_column(column: "pa.ChunkedArray[Any]", field: PackedField, nan_is_missing: bool) -> ScalarColumn:
    """Read a scalar feature as n values of its packed type.

    Raises:
        StoreError: the column cannot be cast without loss of range.
    """
    array = _cast(column, field, _arrow_type(field.type))
    missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    values = _numbers(array, field)
    if nan_is_missing and values.dtype.kind == "f":
        nan = np.isnan(values)
        missing = nan if nan.any() else missing
    return ScalarColumn(values, missing)


def ragged_column(column: "pa.ChunkedArray[Any]", field: PackedField) -> RaggedColumn:
    """Read an array, text or serialized feature as counts and flat values.

    Raises:
        StoreError: the column cannot be cast, or an integer array holds a null element.
    """
    if field.type in ("texts", "blobs", "value") and _is_list(column.type):
        column = _serialized_lists(column, field)
    if field.type.startswith("list<"):
        return _array_column(column, field)
    array = _cast(column, field, pa.large_string() if field.type == "text" else pa.large_binary())
    missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    array = array.fill_null("" if field.type == "text" else b"")
    _, offsets_buffer, data = array.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64)[array.offset : array.offset + len(array) + 1]
    flat = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]] if data is not None else np.zeros(0, np.uint8)
    return RaggedColumn(np.diff(offsets), flat, missing)


def microseconds(column: "pa.ChunkedArray[Any]", name: str, may_miss: bool = False) -> NDArray[np.int64]:
    """Read a row's timestamps as microseconds since 1970, UTC; nanoseconds are truncated.

    may_miss: a missing time becomes the smallest integer.

    Raises:
        StoreError: one is missing that may not be, or the column holds no times.
    """
    array = _cast(column, PackedField(name, "timestamp"), TIMESTAMP)
    if array.null_count and not may_miss:
        raise StoreError(f"{name}: {array.null_count:,} of {len(array):,} rows have no time; expected one in every row")
    return array.cast(pa.int64()).fill_null(NO_TIME).to_numpy(zero_copy_only=False)


def _array_column(column: "pa.ChunkedArray[Any]", field: PackedField) -> RaggedColumn:
    if not _is_list(column.type):
        raise StoreError(
            f"feature {field.name}: found {column.type}, expected {field.type}; fix the table that is written"
        )
    array = column.combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    counts = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    if missing is not None:
        array = array.filter(array.is_valid())  # a null slot of a fixed-size list still has elements underneath
    flat = _cast(pa.chunked_array([array.flatten()]), field, _arrow_type(field.type[len("list<") : -1]))
    if flat.null_count and field.type not in CAN_HOLD_GAPS:
        raise StoreError(
            f"feature {field.name}: {flat.null_count:,} null elements inside its arrays; "
            f"expected none in {field.type} (only arrays of floats and times can hold a gap); drop or fill them"
        )
    return RaggedColumn(counts, _numbers(flat, field), missing)


def _serialized_lists(column: "pa.ChunkedArray[Any]", field: PackedField) -> "pa.ChunkedArray[Any]":
    if not (_is_text(column.type.value_type) or _is_binary(column.type.value_type)):
        raise StoreError(
            f"feature {field.name}: found {column.type}, expected lists of texts or values already serialized; "
            "write it through feast.views.write_feature_view"
        )
    rows = [None if items is None else encode_list(items) for items in column.to_pylist()]
    return pa.chunked_array([pa.array(rows, pa.large_binary())])


def _numbers(array: "pa.Array[Any]", field: PackedField) -> NDArray[Any]:
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.int64())
    if array.null_count:
        array = array.fill_null(_gap(field))
    return array.to_numpy(zero_copy_only=False).astype(field.element, copy=False)


def _gap(field: PackedField) -> float | int | bool:
    """Return what stands for a missing element: NaN, no time, or nothing in particular."""
    if field.type.endswith("timestamp>"):
        return NO_TIME
    return {"f": float("nan"), "b": False}.get(field.element.kind, 0)


def _cast(column: "pa.ChunkedArray[Any]", field: PackedField, target: "pa.DataType") -> "pa.Array[Any]":
    # Times lose what is finer than a microsecond on purpose; floats are rounded by Arrow's safe cast as well.
    safe = not pa.types.is_timestamp(target)
    try:
        if (
            pa.types.is_timestamp(target)
            and not pa.types.is_timestamp(column.type)
            and not pa.types.is_null(column.type)
        ):
            raise pa.ArrowInvalid(f"{column.type} is no time")
        array = column.cast(target, safe=safe).combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise StoreError(
            f"feature {field.name}: {column.type} does not fit {field.type} ({error}); "
            "fix the table or the feature's type"
        ) from error
    if isinstance(array, pa.ChunkedArray):
        return array.chunk(0) if array.num_chunks else pa.array([], target)
    return array


def _arrow_type(kind: str) -> "pa.DataType":
    return TIMESTAMP if kind == "timestamp" else pa.bool_() if kind == "bool" else pa.from_numpy_dtype(kind)


def _scalar_type(field: "pa.Field[Any]", kind: "pa.DataType") -> str:
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind) or pa.types.is_float32(kind) or pa.types.is_float64(kind):
        return {"float": "float32", "double": "float64"}.get(str(kind), str(kind))
    raise StoreError(
        f"feature {field.name}: Arrow type {field.type} cannot be packed as it is; serialize it to bytes first"
    )


def _is_list(kind: "pa.DataType") -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _is_text(kind: "pa.DataType") -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_binary(kind: "pa.DataType") -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
