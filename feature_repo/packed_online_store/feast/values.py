"""Feast's protobuf values as columns of a packed table, and back."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.value_type import ValueType

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.keys import Key
from feature_repo.packed_online_store.layout import NO_TIME, SCALARS, PackedField
from feature_repo.packed_online_store.rows import PackedRows

SECOND = 1_000_000

PACKED_TYPES = {
    ValueType.BOOL: "bool",
    ValueType.INT32: "int32",
    ValueType.INT64: "int64",
    ValueType.FLOAT: "float32",
    ValueType.DOUBLE: "float64",
    ValueType.UNIX_TIMESTAMP: "timestamp",
    ValueType.STRING: "text",
    ValueType.BYTES: "bytes",
    ValueType.PDF_BYTES: "bytes",
    ValueType.IMAGE_BYTES: "bytes",
    ValueType.BOOL_LIST: "list<bool>",
    ValueType.INT32_LIST: "list<int32>",
    ValueType.INT64_LIST: "list<int64>",
    ValueType.FLOAT_LIST: "list<float32>",
    ValueType.DOUBLE_LIST: "list<float64>",
    ValueType.UNIX_TIMESTAMP_LIST: "list<timestamp>",
    ValueType.STRING_LIST: "texts",
    ValueType.BYTES_LIST: "blobs",
}
"""Feast's types that have a place of their own in a row; any other is packed as ``value``, its protobuf bytes."""

PROTO_FIELDS = {
    "bool": "bool_val",
    "int32": "int32_val",
    "int64": "int64_val",
    "float32": "float_val",
    "float64": "double_val",
    "timestamp": "unix_timestamp_val",
    "text": "string_val",
    "bytes": "bytes_val",
    "list<bool>": "bool_list_val",
    "list<int32>": "int32_list_val",
    "list<int64>": "int64_list_val",
    "list<float32>": "float_list_val",
    "list<float64>": "double_list_val",
    "list<timestamp>": "unix_timestamp_list_val",
    "texts": "string_list_val",
    "blobs": "bytes_list_val",
}


def packed_type(value_type: ValueType) -> str:
    """Name the packed type of a Feast value type."""
    return PACKED_TYPES.get(value_type, "value")


def value_column(field: PackedField, values: Sequence[Value | None]) -> pa.Array:
    """Turn one feature's protobuf values into the Arrow column that the codec packs; None and unset are missing.

    Raises:
        StoreError: a value of another type than the feature's, or a time that microseconds do not hold.
    """
    if field.type == "value":
        return pa.array([serialized(value) for value in values], pa.large_binary())
    read = _reader(field)
    present = [None if _is_missing(value) else read(value) for value in values]
    if field.type in ("texts", "blobs"):
        return pa.array(present, pa.large_binary())
    if field.type in ("text", "bytes"):
        return pa.array(present, pa.large_string() if field.type == "text" else pa.large_binary())
    kind = field.type.removeprefix("list<").removesuffix(">")
    element = pa.int64() if kind == "timestamp" else pa.bool_() if kind == "bool" else pa.from_numpy_dtype(kind)
    array = pa.array(present, element if field.is_scalar else pa.list_(element))
    if kind == "timestamp":
        moment = pa.timestamp("us", tz="UTC")
        return array.cast(moment if field.is_scalar else pa.list_(moment))
    return array


def serialized(value: Value | None) -> bytes | None:
    """Write a value as protobuf, equal values as equal bytes; None where it is missing."""
    return None if value is None or _is_missing(value) else value.SerializeToString(deterministic=True)


def feature_values(rows: PackedRows, field: PackedField) -> list[Value]:
    """Return one feature of all rows as protobuf values, unset where it is missing."""
    missing = rows.missing(field.name).tolist()
    write = _writer(field)
    return [Value() if gone else write(value) for value, gone in zip(_plain(rows, field), missing, strict=True)]


def event_times(rows: PackedRows) -> list[datetime | None]:
    """Return the event times of rows, None where a row is missing."""
    times = rows.event_time.astype("datetime64[us]").tolist()
    return [time.replace(tzinfo=UTC) if there else None for time, there in zip(times, rows.found.tolist(), strict=True)]


def join_values(key: EntityKey) -> dict[str, Key]:
    """Return an entity key's values by join key.

    Raises:
        StoreError: a value that cannot name a row.
    """
    return {name: _join_value(name, value) for name, value in zip(key.join_keys, key.entity_values, strict=True)}


def _join_value(name: str, value: Value) -> Key:
    kind = value.WhichOneof("val")
    if kind == "unix_timestamp_val":
        return datetime.fromtimestamp(value.unix_timestamp_val, UTC)
    if kind in ("string_val", "bytes_val", "int32_val", "int64_val"):
        return getattr(value, kind)
    raise StoreError(f"join key {name}: found {kind or 'no value'}; expected a text, bytes, a whole number or a time")


def _is_missing(value: Value | None) -> bool:
    if value is None:
        return True
    kind = value.WhichOneof("val")
    return kind is None or kind == "null_val" or (kind == "unix_timestamp_val" and value.unix_timestamp_val == NO_TIME)


def _reader(field: PackedField) -> Callable[[Any], Any]:
    attribute = PROTO_FIELDS[field.type]

    def read(value: Value) -> Any:
        if value.WhichOneof("val") != attribute:
            raise StoreError(
                f"feature {field.name}: found a {value.WhichOneof('val')}, expected {attribute} ({field.type}); "
                "write what the feature view declares"
            )
        return getattr(value, attribute)

    if field.type == "timestamp":
        return lambda value: _microseconds(field, read(value))
    if field.type == "list<timestamp>":
        return lambda value: [_microseconds(field, seconds) for seconds in read(value).val]
    if field.type in ("texts", "blobs"):
        return lambda value: read(value).SerializeToString(deterministic=True)
    return read if field.type in SCALARS or field.type in ("text", "bytes") else lambda value: list(read(value).val)


def _writer(field: PackedField) -> Callable[[Any], Value]:
    if field.type == "value":
        return Value.FromString
    attribute = PROTO_FIELDS[field.type]
    if field.type in SCALARS or field.type in ("text", "bytes"):
        return lambda plain: Value(**{attribute: plain})

    def write_list(plain: Any) -> Value:
        value = Value()
        items = getattr(value, attribute)
        items.SetInParent()
        if isinstance(plain, bytes):
            items.MergeFromString(plain)
        else:
            items.val.extend(plain)
        return value

    return write_list


def _plain(rows: PackedRows, field: PackedField) -> Iterable[Any]:
    if field.is_scalar:
        values = rows.scalars(field.name)[0]
        return (values // SECOND if field.type == "timestamp" else values).tolist()
    if field.type == "text":
        return rows.texts(field.name)
    if not field.type.startswith("list<"):
        return rows.blobs(field.name)
    arrays = rows.arrays(field.name)
    values = arrays.values
    if field.type == "list<timestamp>":
        values = np.where(values == NO_TIME, NO_TIME, values // SECOND)
    plain, ends = values.tolist(), arrays.offsets.tolist()
    return [plain[start:end] for start, end in pairwise(ends)]


def _microseconds(field: PackedField, seconds: int) -> int:
    if seconds == NO_TIME:
        return NO_TIME
    if not -(2**63) < seconds * SECOND < 2**63:
        raise StoreError(f"feature {field.name}: time {seconds} s is out of range; expected seconds since 1970")
    return seconds * SECOND
