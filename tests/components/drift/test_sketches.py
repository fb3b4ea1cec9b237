"""Sketches of tables: kinds, streams, merges, JSON."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contracts.errors import BundleError, FeatureError
from components.drift.kinds import ColumnKind, column_kinds
from components.drift.sketch_codec import sketches_from_json, sketches_to_json
from components.drift.sketches import BATCH_ROWS, Sketches, TableSketch, sketch_table

NUMERIC, CATEGORICAL = ColumnKind.NUMERIC, ColumnKind.CATEGORICAL
KINDS = {"price": NUMERIC, "brand": CATEGORICAL}


def table(price: list[float | None], brand: list[str | None]) -> pa.Table:
    users = [f"u{row % 3}" for row in range(len(price))]
    columns = {"price": pa.array(price, pa.float64()), "brand": pa.array(brand, pa.string()), "user_id": users}
    return pa.table({**columns, "user_id": pa.array(users, pa.string())})


def sketch(rows: pa.Table, unit: str | None = None) -> TableSketch:
    return sketch_table(rows.to_batches(), KINDS, unit)


def as_json(rows: TableSketch) -> bytes:
    return sketches_to_json(Sketches({"features": rows}))


row_lists = st.lists(
    st.tuples(st.none() | st.floats(-1e6, 1e6), st.none() | st.sampled_from(["a", "b", "é", "5", ""])), max_size=30
)


def of(rows: list[tuple[float | None, str | None]]) -> pa.Table:
    return table([price for price, _ in rows], [brand for _, brand in rows])


def test_identifiers_times_and_nested_columns_are_not_watched() -> None:
    schema = pa.schema(
        {
            "user_id": pa.string(),
            "event_time": pa.timestamp("us", "UTC"),
            "history": pa.list_(pa.int64()),
            "price": pa.float32(),
            "quantity": pa.int16(),
            "amount": pa.decimal128(9, 2),
            "brand": pa.dictionary(pa.int32(), pa.string()),
            "item_id": pa.string(),
            "promoted": pa.bool_(),
        }
    )
    assert column_kinds(schema) == {
        "price": NUMERIC,
        "quantity": NUMERIC,
        "amount": NUMERIC,
        "brand": CATEGORICAL,
        "item_id": CATEGORICAL,
        "promoted": CATEGORICAL,
    }


def test_identifiers_are_refused_and_never_written() -> None:
    rows = table([1.0, 2.0], ["a", None])
    with pytest.raises(FeatureError, match="user_id would be sketched"):
        sketch_table(rows.to_batches(), {"user_id": CATEGORICAL})
    written = as_json(sketch(rows, unit="user_id"))
    assert b"user_id" not in written
    assert b'"u0"' not in written


@given(row_lists, row_lists, row_lists)
def test_merging_equals_the_whole_in_any_order_and_grouping(
    a: list[tuple[float | None, str | None]],
    b: list[tuple[float | None, str | None]],
    c: list[tuple[float | None, str | None]],
) -> None:
    whole = as_json(sketch(of(a + b + c)))
    x, y, z = sketch(of(a)), sketch(of(b)), sketch(of(c))
    assert as_json(x.merge(y).merge(z)) == as_json(x.merge(y.merge(z))) == as_json(z.merge(x).merge(y)) == whole


@given(row_lists, st.randoms())
def test_order_of_rows_does_not_matter(rows: list[tuple[float | None, str | None]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert as_json(sketch(of(shuffled))) == as_json(sketch(of(rows)))


@given(row_lists)
def test_json_comes_back_to_the_byte(rows: list[tuple[float | None, str | None]]) -> None:
    written = as_json(sketch(of(rows)))
    assert sketches_to_json(sketches_from_json(written)) == written


def test_json_of_collapsed_sketches_comes_back_and_can_be_merged_on() -> None:
    rng = np.random.default_rng(0)
    rows = pa.table({"price": rng.lognormal(size=4000), "brand": [f"b{n}" for n in rng.integers(0, 3000, 4000)]})
    whole = sketch(rows)
    written = as_json(whole)
    assert len(written) < 32_000
    read = sketches_from_json(written)
    assert sketches_to_json(read) == written
    assert sketches_to_json(read.merge(read)) == as_json(whole.merge(whole))


def test_batches_of_any_size_give_the_same_sketch() -> None:
    rng = np.random.default_rng(0)
    rows = pa.table({"price": rng.normal(size=BATCH_ROWS + 5000), "brand": ["a", "b"] * ((BATCH_ROWS + 5000) // 2)})
    whole = as_json(sketch_table(rows.to_batches(), KINDS))
    assert as_json(sketch_table(rows.to_batches(max_chunksize=9999), KINDS)) == whole


def test_a_stream_is_read_once_and_may_be_empty() -> None:
    def stream() -> Iterator[pa.RecordBatch]:
        yield from table([1.0], ["a"]).to_batches()

    assert sketch_table(stream(), KINDS).rows == 1
    nothing = sketch_table(iter(()), KINDS, unit="user_id")
    assert (nothing.rows, nothing.design_effect) == (0, 1.0)


def test_rows_per_unit_are_known() -> None:
    rows = table([1.0] * 300, ["a"] * 300)
    assert sketch(rows, unit="user_id").design_effect == pytest.approx(100)
    assert sketch(rows).design_effect == 1


def test_sketches_merge_table_by_table() -> None:
    one = Sketches({"features": sketch(table([1.0], ["a"]))})
    two = Sketches({"features": sketch(table([2.0], ["b"])), "data": sketch(table([3.0], ["c"]))})
    merged = one.merge(two)
    assert {name: part.rows for name, part in merged.tables.items()} == {"features": 2, "data": 1}


def test_parts_that_do_not_belong_together_are_refused() -> None:
    rows = table([1.0], ["a"])
    with pytest.raises(FeatureError, match="cannot be merged"):
        sketch(rows).merge(sketch_table(rows.to_batches(), {"price": NUMERIC}))
    with pytest.raises(FeatureError, match="cannot be merged"):
        sketch(rows).merge(sketch(rows, unit="user_id"))
    with pytest.raises(FeatureError, match="lacks cost"):
        sketch_table(rows.to_batches(), {"cost": NUMERIC})


def test_values_of_the_wrong_kind_are_refused_by_name() -> None:
    rows = pa.table({"price": [datetime(2017, 1, 1, tzinfo=UTC)], "brand": ["a"]})
    with pytest.raises(FeatureError, match="column price is of type timestamp"):
        sketch(rows)
    with pytest.raises(FeatureError, match="column price is of type string"):
        sketch(pa.table({"price": ["cheap"], "brand": ["a"]}))


@pytest.mark.parametrize(
    "wreck", ["", "[]", "{}", '{"format":9,"tables":{}}', '{"format":1,"tables":{"a":{"rows":1}}}']
)
def test_damaged_bytes_are_refused(wreck: str) -> None:
    with pytest.raises(BundleError, match="reference sketches"):
        sketches_from_json(wreck.encode())


def test_lengths_that_disagree_are_refused() -> None:
    document = json.loads(as_json(sketch(table([1.0, 2.0], ["a", "b"]))))
    document["tables"]["features"]["columns"]["price"]["gaps"].pop()
    with pytest.raises(BundleError, match="1 numbers where 2 belong"):
        sketches_from_json(json.dumps(document).encode())
