import random
from dataclasses import replace

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ibis.config import Config

from components.features.inputs.encoded import encode_tables
from components.features.snapshots.schemas import unbound_views, view_schemas
from tests.components.features.frames import PLAIN, clean_tables, event, on, snapshots

pytestmark = pytest.mark.slow(seconds=30)

RICH = replace(
    PLAIN,
    browsing=("view", "add_to_cart"),
    category_levels=2,
    user_attributes=("age",),
    in_stock="stock",
    promotions=True,
    promotions_known_ahead=True,
    not_merchandise=("postage",),
)

EVENTS = st.lists(
    st.builds(
        event,
        day=st.floats(0, 60, width=32),
        user=st.sampled_from(["ann", "bob", None]),
        item=st.sampled_from(["tea", "milk", "bread"]),
        kind=st.sampled_from(["purchase", "purchase", "view", "return"]),
        quantity=st.sampled_from([1.0, 2.0, 0.5]),
        price=st.one_of(st.none(), st.floats(0, 99, width=32)),
    ),
    min_size=1,
    max_size=25,
)


class SparkOptions(Config):
    treat_nan_as_null: bool = False


@pytest.mark.parametrize("feature_settings", [PLAIN, RICH], ids=["plain", "rich"])
def test_every_definition_compiles_for_spark_too(feature_settings, monkeypatch):
    monkeypatch.setattr(ibis.options, "pyspark", SparkOptions())  # what the backend sets when it is imported
    for view in unbound_views(feature_settings):
        for table in (view.scalars, *(columns.table for columns in view.lists)):
            assert "SELECT" in ibis.to_sql(table, dialect="pyspark")


@pytest.mark.parametrize("feature_settings", [PLAIN, RICH], ids=["plain", "rich"])
def test_what_is_stored_follows_the_schema_that_is_derived_without_data(feature_settings):
    stored = snapshots(clean_tables([event(1, "ann", "tea")]), 10, feature_settings)
    assert {name: table.schema for name, table in stored.items()} == view_schemas(feature_settings)


def test_a_shop_of_purchases_alone_has_all_columns_missing_not_wrong():
    row = snapshots(clean_tables([event(1, "ann", "tea")]), 10)["item_features"].to_pylist()[0]
    assert row["category"] is row["brand"] is row["price"] is row["list_price"] is None
    assert row["is_merchandise"] == 1


@settings(max_examples=4)
@given(events=EVENTS, seed=st.integers(0, 9))
def test_order_of_rows_and_item_codes_change_no_bit(events, seed):
    tables = clean_tables([{**row, "event_id": f"e{n}"} for n, row in enumerate(events)])
    order = random.Random(seed).sample(range(len(events)), len(events))
    shuffled = {**tables, "events": tables["events"].take(order)}
    assert _bits(snapshots(tables, 61)) == _bits(snapshots(shuffled, 61))


@settings(max_examples=4)
@given(events=EVENTS, day=st.integers(1, 60))
def test_a_snapshot_is_the_same_on_data_cut_off_at_its_moment(events, day):
    codes = ["tea", "milk", "bread"]
    tables = clean_tables(events, codes=codes)
    past = [row for row in events if row["event_time"] < on(day)]
    cut = clean_tables(past, codes=codes) if past else {**tables, "events": tables["events"].slice(0, 0)}
    assert _bits(snapshots(tables, day)) == _bits(snapshots(cut, day))


def test_what_was_not_known_yet_does_not_count():
    late = clean_tables([event(1, "ann", "tea"), event(2, "ann", "milk", known=20)])
    assert snapshots(late, 10)["user_features"]["trips"].to_pylist() == [1]
    assert snapshots(late, 21)["user_features"]["trips"].to_pylist() == [2]
    assert snapshots(late, 21)["user_features"]["created_timestamp"].to_pylist() == [on(20)]


def _bits(views: dict[str, pa.Table]) -> list[dict]:
    return [view.to_pydict() for view in views.values()]


def test_tables_are_encoded_without_data():
    assert set(vars(encode_tables(_empty(), PLAIN))) == {
        "interactions",
        "users",
        "items",
        "catalogue",
        "promotions",
        "attributes",
    }


def _empty() -> dict[str, ibis.Table]:
    tables = clean_tables([event(1, "ann", "tea")])
    return {name: ibis.table(ibis.Schema.from_pyarrow(table.schema), name=name) for name, table in tables.items()}
