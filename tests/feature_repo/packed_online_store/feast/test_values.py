"""Every value that Feast can hold comes back through the plug-in, and both ways of writing give the same rows."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from feast import Entity, FeatureView, Field, FileSource, RepoConfig
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import python_values_to_proto_values
from feast.types import (
    Array,
    Bool,
    Bytes,
    FeastType,
    Float32,
    Float64,
    Int32,
    Int64,
    Json,
    Map,
    ScalarMap,
    Set,
    String,
    Struct,
    UnixTimestamp,
    Uuid,
    ZonedTimestamp,
)
from feast.types import Decimal as FeastDecimal
from feast.utils import _convert_arrow_to_proto
from feast.value_type import ValueType

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.feast.online_store import PackedOnlineStore
from feature_repo.packed_online_store.feast.views import packed_view, write_feature_view
from tests.feature_repo.packed_online_store.conftest import AS_OF

ITEM = Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING)
SOURCE = FileSource(
    name="items_file", path="items.parquet", timestamp_field="seen_at", created_timestamp_column="made_at"
)
MOMENT = datetime(2017, 5, 6, 7, 8, 9, tzinfo=UTC)
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")

EXAMPLES: list[tuple[FeastType, list[Any]]] = [
    (Bool, [True, False]),
    (Int32, [-(2**31), 0]),
    (Int64, [2**63 - 1, -1]),
    (Float32, [0.5, 0.0]),
    (Float64, [1e300, -0.1]),
    (UnixTimestamp, [MOMENT, datetime(1931, 1, 1, tzinfo=UTC)]),
    (String, ["", "Käse"]),
    (Bytes, [b"", b"\0\xff"]),
    (Uuid, [ID, ID]),
    (FeastDecimal, [Decimal("1.50"), Decimal("-3")]),
    (Json, ['{"a": [1, null]}', "[]"]),
    (Map, [{"a": "b"}, {"c": {"d": 1}}]),
    (ScalarMap, [{1: "x"}, {b"k": 2.5}]),
    (Struct({"a": Int64}), [{"a": 1}, {"a": 2}]),
    (ZonedTimestamp, [MOMENT, MOMENT]),
    (Array(Bool), [[True, False], []]),
    (Array(Int32), [[1, -1], []]),
    (Array(Int64), [[2**40], []]),
    (Array(Float32), [[0.5, 1.5], []]),
    (Array(Float64), [[1e300], []]),
    (Array(UnixTimestamp), [[MOMENT, MOMENT], []]),
    (Array(String), [["a", "", "ü"], []]),
    (Array(Bytes), [[b"\0", b""], []]),
    (Array(Uuid), [[ID], []]),
    (Array(FeastDecimal), [[Decimal("1.5")], []]),
    (Array(Map), [[{"a": "b"}], []]),
    (Array(Json), [["1"], []]),
    (Array(Struct({"a": Int64})), [[{"a": 1}], []]),
    (Array(Array(Int64)), [[[1, 2], [3]], [[4]]]),
    (Set(String), [{"a", "b"}, {"c"}]),
    (Set(Int64), [{1, 2}, {3}]),
    (Set(Float64), [{0.5}, {1.5}]),
]


def view_of(fields: dict[str, FeastType], ttl: timedelta | None = None, name: str = "items") -> FeatureView:
    schema = [Field(name="item_id", dtype=String), *(Field(name=name, dtype=kind) for name, kind in fields.items())]
    return FeatureView(name=name, entities=[ITEM], schema=schema, source=SOURCE, ttl=ttl)


def key_of(item: str) -> EntityKey:
    return EntityKey(join_keys=["item_id"], entity_values=[Value(string_val=item)])


@pytest.fixture
def config(store_url: str, tmp_path: Path) -> RepoConfig:
    plug_in = "feature_repo.packed_online_store.feast.online_store.PackedOnlineStore"
    return RepoConfig(
        project=f"shop_{uuid.uuid4().hex[:8]}",
        provider="local",
        registry=str(tmp_path / "registry.db"),
        online_store={"type": plug_in, "url": store_url, "revision": "r1", "as_of": AS_OF},
        entity_key_serialization_version=3,
    )


@pytest.fixture
def store() -> Iterator[PackedOnlineStore]:
    store = PackedOnlineStore()
    yield store
    asyncio.run(store.close())


@pytest.fixture
def client(config: RepoConfig, store_url: str) -> Iterator[PackedClient]:
    client = PackedClient.open(store_url, project=config.project, revision="r1", clock=lambda: AS_OF)
    yield client
    client.close()


@pytest.mark.parametrize(
    ("kind", "examples"), EXAMPLES, ids=lambda value: str(value) if not isinstance(value, list) else ""
)
def test_every_value_type_comes_back(
    config: RepoConfig, store: PackedOnlineStore, kind: FeastType, examples: list[Any]
) -> None:
    values = [*python_values_to_proto_values(examples, kind.to_value_type()), Value()]
    view = view_of({"x": kind, "other": Int64})
    rows = [(key_of(f"i{place}"), {"x": value}, AS_OF, None) for place, value in enumerate(values)]
    store.online_write_batch(config, view, rows, None)
    read = store.online_read(config, view, [key for key, *_ in rows])
    assert [row for _, row in read] == [{"x": value, "other": Value()} for value in values]
    assert [time for time, _ in read] == [AS_OF] * len(values)


def test_nans_given_as_values_stay_nans(config: RepoConfig, store: PackedOnlineStore) -> None:
    view = view_of({"x": Float32, "xs": Array(Float64)})
    row = {"x": Value(float_val=float("nan")), "xs": Value()}
    row["xs"].double_list_val.val.append(float("nan"))
    store.online_write_batch(config, view, [(key_of("a"), row, AS_OF, None)], None)
    values = store.online_read(config, view, [key_of("a")])[0][1] or {}
    assert np.isnan(values["x"].float_val)
    assert np.isnan(values["xs"].double_list_val.val[0])


def test_a_value_of_another_type_is_refused(config: RepoConfig, store: PackedOnlineStore) -> None:
    rows = [(key_of("a"), {"x": Value(string_val="1")}, AS_OF, None)]
    with pytest.raises(StoreError, match="feature x: found a string_val, expected int64_val"):
        store.online_write_batch(config, view_of({"x": Int64}), rows, None)
    rows = [(EntityKey(join_keys=["item_id"], entity_values=[Value(bool_val=True)]), {}, AS_OF, None)]
    with pytest.raises(StoreError, match="join key item_id: found bool_val"):
        store.online_write_batch(config, view_of({"x": Int64}), rows, None)


def test_absent_and_expired_rows_have_no_values(config: RepoConfig, store: PackedOnlineStore) -> None:
    view = view_of({"x": Int64}, ttl=timedelta(days=2))
    times = {"fresh": AS_OF - timedelta(days=2), "stale": AS_OF - timedelta(days=2, microseconds=1)}
    rows = [(key_of(item), {"x": Value(int64_val=1)}, time, None) for item, time in times.items()]
    store.online_write_batch(config, view, rows, None)
    read = store.online_read(config, view, [key_of("fresh"), key_of("stale"), key_of("absent")], ["x"])
    assert read == [(times["fresh"], {"x": Value(int64_val=1)}), (None, None), (None, None)]


def test_naive_times_and_missing_ones_are_understood(config: RepoConfig, store: PackedOnlineStore) -> None:
    view = view_of({"x": Int64})
    row = {"x": Value(int64_val=1)}
    store.online_write_batch(config, view, [(key_of("a"), row, AS_OF.replace(tzinfo=None), pd.NaT)], None)
    assert store.online_read(config, view, [key_of("a")]) == [(AS_OF, row)]


def test_reading_and_writing_without_waiting(config: RepoConfig, store: PackedOnlineStore) -> None:
    view = view_of({"x": Int64})
    written: list[int] = []

    async def write_and_read() -> Any:
        rows = [(key_of(item), {"x": Value(int64_val=7)}, AS_OF, None) for item in "ab"]
        await store.online_write_batch_async(config, view, rows, written.append)
        return await store.online_read_async(config, view, [key_of("b"), key_of("z")])

    assert asyncio.run(write_and_read()) == [(AS_OF, {"x": Value(int64_val=7)}), (None, None)]
    assert written == [2]


def test_searching_embeddings_is_refused(config: RepoConfig, store: PackedOnlineStore) -> None:
    for search in (store.retrieve_online_documents, store.retrieve_online_documents_v2):
        with pytest.raises(NotImplementedError, match=r"view items: .* does not search embeddings; keep"):
            search(config, view_of({"x": Int64}), ["x"], [0.5], 3)


def test_views_that_are_gone_lose_their_rows(
    config: RepoConfig, store: PackedOnlineStore, client: PackedClient
) -> None:
    views = [view_of({"x": Int64}, name=name) for name in ("gone", "kept")]
    for view in views:
        store.online_write_batch(config, view, [(key_of("a"), {"x": Value(int64_val=1)}, AS_OF, None)], None)
    store.update(config, views[:1], views[1:], [], [ITEM], partial=False)
    assert client.view_names() == ["kept"]
    assert [store.online_read(config, view, [key_of("a")])[0][0] for view in views] == [None, AS_OF]
    store.teardown(config, views[1:], [ITEM])
    assert client.view_names() == []


def test_without_a_revision_changed_features_start_anew(config: RepoConfig, store: PackedOnlineStore) -> None:
    config.online_store.revision = None
    before, after = view_of({"x": Int64}), view_of({"x": Int64, "y": Int64})
    store.online_write_batch(config, before, [(key_of("a"), {"x": Value(int64_val=1)}, AS_OF, None)], None)
    assert store.online_read(config, after, [key_of("a")]) == [(None, None)]
    assert store.online_read(config, before, [key_of("a")])[0][0] == AS_OF


def test_with_a_revision_changed_features_are_refused(config: RepoConfig, store: PackedOnlineStore) -> None:
    row = {"x": Value(int64_val=1)}
    store.online_write_batch(config, view_of({"x": Int64}), [(key_of("a"), row, AS_OF, None)], None)
    with pytest.raises(StoreError, match=r"view items .* have schema .* materialize again"):
        store.online_read(config, view_of({"y": Int64}), [key_of("a")])


FAST_TYPES: dict[str, tuple[FeastType, Any]] = {
    "flag": (Bool, pa.array([True, None, False])),
    "small": (Int32, pa.array([1, None, -3], pa.int32())),
    "whole": (Int64, pa.array([1, 2, 2**53])),
    "single": (Float32, pa.array([0.1, None, float("nan")], pa.float64())),
    "double": (Float64, pa.array([0.1, float("nan"), 2.0])),
    "moment": (UnixTimestamp, pa.array([MOMENT, None, MOMENT], pa.timestamp("us", tz="UTC"))),
    "text": (String, pa.array(["a", None, ""])),
    "data": (Bytes, pa.array([b"a", None, b""])),
    "history": (Array(Int64), pa.array([[1, 2], None, []], pa.list_(pa.int64()))),
    "weights": (Array(Float32), pa.array([[0.1], [], [2.5, 0.5]], pa.list_(pa.float32()))),
    "times": (Array(UnixTimestamp), pa.array([[MOMENT], None, []], pa.list_(pa.timestamp("us", tz="UTC")))),
    "names": (Array(String), pa.array([["a", "ü"], None, []], pa.list_(pa.string()))),
    "json": (Json, pa.array(['{"a": 1}', None, "2"])),
    "groups": (Array(Array(Int64)), pa.array([[[1], [2, 3]], None, [[4]]])),
}


def test_both_ways_of_writing_give_the_same_bytes(
    config: RepoConfig, store: PackedOnlineStore, store_url: str, client: PackedClient
) -> None:
    view = view_of({name: kind for name, (kind, _) in FAST_TYPES.items()}, ttl=timedelta(days=3))
    columns = {"item_id": ["a", "b", "c"], **{name: values for name, (_, values) in FAST_TYPES.items()}}
    for name, times in (("seen_at", [AS_OF] * 3), ("made_at", [AS_OF, AS_OF + timedelta(microseconds=1), None])):
        columns[name] = pa.array(times, pa.timestamp("us", tz="UTC"))
    table = pa.table(columns)
    store.online_write_batch(config, view, _convert_arrow_to_proto(table, view, {"item_id": ValueType.STRING}), None)
    fast = PackedClient.open(store_url, project=config.project + "_fast", revision="r1", clock=lambda: AS_OF)
    assert write_feature_view(fast, view, table).written == 3
    assert client.view("items") == fast.view("items") == packed_view(view)
    slow_keys, fast_keys = (
        client.backend.keys(client.namespace("items").rows),
        fast.backend.keys(fast.namespace("items").rows),
    )
    assert len(slow_keys) == 3
    assert client.backend.read(slow_keys) == fast.backend.read(fast_keys)
    assert fast.read("items", ["a"]).text_lists("names") == [["a", "ü"]]
    fast.close()
