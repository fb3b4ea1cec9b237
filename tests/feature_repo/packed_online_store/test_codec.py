"""Every type comes back from a packed row as it went in."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.codec import RowStamps, encode_table
from feature_repo.packed_online_store.layout import NO_TIME, PackedSchema
from feature_repo.packed_online_store.rows import PackedRows

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
UTC_MICROSECONDS = pa.timestamp("us", tz="UTC")


def whole_numbers(bits: int, signed: bool) -> st.SearchStrategy[int]:
    low = -(2 ** (bits - 1)) if signed else 0
    return st.integers(low, low + 2**bits - 1)


ELEMENTS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "bool": (pa.bool_(), st.booleans()),
    **{f"int{bits}": (pa.from_numpy_dtype(f"int{bits}"), whole_numbers(bits, True)) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (pa.from_numpy_dtype(f"uint{bits}"), whole_numbers(bits, False)) for bits in (8, 16, 32, 64)},
    "float32": (pa.float32(), st.floats(width=32)),
    "float64": (pa.float64(), st.floats()),
    "timestamp": (UTC_MICROSECONDS, TIMES),
}
TYPES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    **ELEMENTS,
    **{f"list<{name}>": (pa.list_(kind), st.lists(value, max_size=5)) for name, (kind, value) in ELEMENTS.items()},
    "text": (pa.string(), st.text(max_size=9)),
    "bytes": (pa.binary(), st.binary(max_size=9)),
    "texts": (pa.list_(pa.string()), st.lists(st.text(max_size=300), max_size=4)),
    "value": (pa.large_binary(), st.binary(max_size=20)),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, list[Any]]]:
    kinds = draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=10))
    rows = draw(st.integers(1, 6))
    columns = {
        f"f{place}": draw(st.lists(st.none() | TYPES[kind][1], min_size=rows, max_size=rows))
        for place, kind in enumerate(kinds)
    }
    return {f"f{place}": kind for place, kind in enumerate(kinds)}, columns


def encoded(types: dict[str, str], columns: dict[str, list[Any]], nan_is_missing: bool = False) -> list[bytes | None]:
    table = pa.table({name: pa.array(values, TYPES[types[name]][0]) for name, values in columns.items()})
    times = np.arange(len(table), dtype=np.int64)
    stamps = RowStamps(times, times, revision=7, item_codes=3)
    return list(encode_table(PackedSchema.of(types), table, stamps, nan_is_missing))


def packed(types: dict[str, str], columns: dict[str, list[Any]], nan_is_missing: bool = False) -> PackedRows:
    return PackedRows(PackedSchema.of(types), encoded(types, columns, nan_is_missing), revision=7)


def unpacked(rows: PackedRows, name: str) -> list[Any]:
    kind = rows.schema.field(name).type
    if kind in ("text", "texts"):
        return rows.texts(name) if kind == "text" else rows.text_lists(name)
    if kind in ("bytes", "value"):
        return rows.blobs(name)
    missing = rows.missing(name).tolist()
    if kind.startswith("list<"):
        arrays = rows.arrays(name)
        plain = [arrays.row(place) for place in range(len(rows))]
        values = [[_time(item) for item in row.tolist()] if "time" in kind else row.tolist() for row in plain]
    else:
        values = [_time(value) if "time" in kind else value for value in rows.scalars(name)[0].tolist()]
    return [None if gone else value for value, gone in zip(values, missing, strict=True)]


def _time(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, float) and isinstance(theirs, float):
        return ours == theirs or (math.isnan(ours) and math.isnan(theirs))
    return ours == theirs and type(ours) is type(theirs)


@given(tables())
@settings(max_examples=150)
def test_every_type_comes_back_with_its_gaps_and_its_nans(table: tuple[dict[str, str], dict[str, list[Any]]]) -> None:
    types, columns = table
    rows = packed(types, columns)
    assert {name: unpacked(rows, name) for name in columns if not same(unpacked(rows, name), columns[name])} == {}
    assert rows.event_time.tolist() == list(range(len(rows)))
    assert set(rows.item_codes.tolist()) == {3}


@given(tables(), st.randoms())
@settings(max_examples=50)
def test_a_slice_packs_to_the_rows_of_the_whole(
    table: tuple[dict[str, str], dict[str, list[Any]]], random: Any
) -> None:
    types, columns = table
    schema = PackedSchema.of(types)
    whole = pa.table({name: pa.array(values, TYPES[types[name]][0]) for name, values in columns.items()})
    stamps = RowStamps(np.arange(len(whole), dtype=np.int64), np.zeros(len(whole), np.int64), revision=0)
    start = random.randrange(len(whole))
    chunked = pa.concat_tables([whole.slice(0, start), whole.slice(start)])
    expected = encode_table(schema, whole, stamps)
    assert encode_table(schema, whole.slice(start), stamps.slice(start, len(whole))) == expected[start:]
    assert encode_table(schema, chunked, stamps) == expected


def test_a_matrix_holds_numbers_of_all_types_and_nan_where_they_are_missing() -> None:
    types = {"a": "float32", "b": "int64", "c": "bool", "d": "float64", "e": "list<int32>"}
    columns = {"a": [1.5, None], "b": [None, 7], "c": [True, None], "d": [float("nan"), 2.0], "e": [[1], None]}
    matrix = packed(types, columns).matrix(["b", "a", "d", "c"])
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, [[np.nan, 1.5, np.nan, 1], [7, np.nan, 2, np.nan]])


def test_a_nan_counts_as_missing_where_feast_would_have_it_so() -> None:
    columns = {"a": [float("nan"), 1.0, None]}
    assert packed({"a": "float32"}, columns, nan_is_missing=True).missing("a").tolist() == [True, False, True]
    assert packed({"a": "float32"}, columns, nan_is_missing=False).missing("a").tolist() == [False, False, True]


def test_the_array_of_a_single_row_is_a_view_of_it() -> None:
    rows = packed({"h": "list<int64>"}, {"h": [[3, 1, 2]]})
    history = rows.arrays("h")
    assert history.row(0).tolist() == [3, 1, 2]
    assert not history.values.flags.owndata
    assert not history.values.flags.writeable


def test_fixed_size_lists_and_arrays_with_gaps_are_packed() -> None:
    schema = PackedSchema.of({"v": "list<float32>", "t": "list<timestamp>"})
    vectors = pa.array([[1.0, None], None, [3.0, 4.0]], pa.list_(pa.float32(), 2))
    times = pa.array([[EPOCH, None], [], None], pa.list_(UTC_MICROSECONDS))
    stamps = RowStamps(np.zeros(3, np.int64), np.zeros(3, np.int64), revision=0)
    rows = PackedRows(schema, list(encode_table(schema, pa.table({"v": vectors, "t": times}), stamps)), revision=0)
    np.testing.assert_array_equal(rows.arrays("v").values, np.array([1, np.nan, 3, 4], np.float32))
    assert rows.arrays("v").offsets.tolist() == [0, 2, 2, 4]
    assert rows.arrays("t").values.tolist() == [0, NO_TIME]


def test_absent_rows_are_missing_in_every_feature() -> None:
    types = {"a": "float32", "h": "list<int64>", "s": "text"}
    written = encoded(types, {"a": [1.0], "h": [[5]], "s": ["x"]})
    rows = PackedRows(PackedSchema.of(types), [None, *written, None], revision=7)
    assert rows.found.tolist() == [False, True, False]
    np.testing.assert_array_equal(rows.matrix(["a"]), [[np.nan], [1], [np.nan]])
    assert rows.arrays("h").offsets.tolist() == [0, 0, 1, 1]
    assert rows.texts("s") == [None, "x", None]
    assert rows.event_time[0] == NO_TIME


def test_no_keys_give_empty_answers_of_the_right_shape() -> None:
    rows = PackedRows(PackedSchema.of({"a": "float32", "h": "list<int64>"}), [], revision=0)
    assert rows.matrix(["a"]).shape == (0, 1)
    assert rows.arrays("h").offsets.tolist() == [0]


@pytest.mark.parametrize(
    ("types", "table", "message"),
    [
        ({"a": "int32"}, {"a": pa.array([2**40])}, "feature a: int64 does not fit int32"),
        ({"a": "float32"}, {"a": pa.array(["x"])}, "feature a: string does not fit float32"),
        ({"a": "timestamp"}, {"a": pa.array([5])}, "is no time"),
        ({"a": "list<int64>"}, {"a": pa.array([[1, None]])}, "1 null elements inside its arrays"),
        ({"a": "list<int64>"}, {"a": pa.array([1])}, "found int64, expected list<int64>"),
        ({"a": "value"}, {"a": pa.array([[1]])}, "values already serialized"),
        ({"a": "int64", "b": "int64"}, {"a": pa.array([1])}, r"columns \['b'\] are not in the table"),
    ],
)
def test_a_column_that_does_not_fit_is_named(types: dict[str, str], table: dict[str, Any], message: str) -> None:
    stamps = RowStamps(np.zeros(1, np.int64), np.zeros(1, np.int64), revision=0)
    with pytest.raises(StoreError, match=message):
        encode_table(PackedSchema.of(types), pa.table(table), stamps)


def test_reading_a_feature_as_what_it_is_not_is_refused() -> None:
    rows = packed({"a": "float32", "h": "list<int64>", "t": "timestamp"}, {"a": [1.0], "h": [[1]], "t": [EPOCH]})
    for read in (
        lambda: rows.matrix(["h"]),
        lambda: rows.matrix(["t"]),
        lambda: rows.arrays("a"),
        lambda: rows.texts("a"),
    ):
        with pytest.raises(StoreError, match="is packed as"):
            read()
    with pytest.raises(StoreError, match="'z' is not in the packed rows; expected one of"):
        rows.matrix(["z"])


@pytest.mark.parametrize("spoil", [lambda row: row[:-8], lambda row: row + b"\0" * 8, lambda row: b"RLP1"])
def test_rows_cut_short_or_of_another_length_are_refused(spoil: Any) -> None:
    rows = encoded({"a": "float32"}, {"a": [1.0]})
    with pytest.raises(StoreError, match="expected 64 from its schema"):
        PackedRows(PackedSchema.of({"a": "float32"}), [spoil(rows[0])], revision=7)


def test_rows_of_another_schema_or_revision_are_refused() -> None:
    rows = encoded({"a": "float32"}, {"a": [1.0]})
    with pytest.raises(StoreError, match=r"1 of 1 packed rows have schema .* materialize again"):
        PackedRows(PackedSchema.of({"b": "float32"}), rows, revision=7)
    with pytest.raises(StoreError, match="have revision 7, expected 8"):
        PackedRows(PackedSchema.of({"a": "float32"}), rows, revision=8)
