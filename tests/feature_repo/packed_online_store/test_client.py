"""Writing and reading through the client, on both backends."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from components.contracts.errors import StoreError
from components.contracts.ids import MAX_ID_CHARACTERS
from feature_repo.packed_online_store.client import Entities, PackedClient, WriteReport
from feature_repo.packed_online_store.clock import StoredClock
from feature_repo.packed_online_store.keys import row_keys
from feature_repo.packed_online_store.layout import PackedSchema
from feature_repo.packed_online_store.views import PackedView
from feature_repo.packed_online_store.writing import write_view
from tests.feature_repo.packed_online_store.conftest import AS_OF, OpenClient
from tests.feature_repo.packed_online_store.two_views import ITEMS, TIME, USERS, items, prices, users


def test_rows_come_back_in_the_order_of_their_keys(open_client: OpenClient) -> None:
    client = open_client()
    assert write_view(client, ITEMS, items({"a": 1, "b": 2, "ü": 3})) == WriteReport(3, 3, 0)
    assert prices(client, ["ü", "nowhere", "a", "ü"]) == [3, None, 1, 3]
    assert client.read("items", ["b", "x"]).found.tolist() == [True, False]
    assert prices(client, []) == []


def test_a_reader_learns_the_view_from_the_store(open_client: OpenClient) -> None:
    write_view(open_client(), USERS, users(AS_OF))
    reader = open_client()
    assert reader.view("users") == USERS
    rows = reader.read("users", ["u1", "x", "u2"])
    assert rows.arrays("history").offsets.tolist() == [0, 3, 3, 3]
    assert rows.arrays("history").values.tolist() == [3, 1, 2]
    assert rows.arrays("last").row(2).tolist() == [0.5]
    assert reader.read("users", ["u2", "u1"]).texts("city") == [None, "Köln"]
    assert reader.view_names() == ["users"]


def test_rows_expire_by_the_clock_that_was_handed_in(open_client: OpenClient) -> None:
    write_view(open_client(), USERS, users(AS_OF))
    fresh = open_client(now=AS_OF + USERS.ttl).read("users", ["u1"])  # type: ignore[operator]
    stale = open_client(now=AS_OF + USERS.ttl + timedelta(microseconds=1)).read("users", ["u1", "u2"])  # type: ignore[operator]
    assert fresh.found.tolist() == [True]
    assert stale.found.tolist() == [False, False]
    assert np.isnan(stale.matrix(["trips"])).all()
    assert stale.arrays("history").values.size == 0
    assert stale.texts("city") == [None, None]


@pytest.mark.parametrize("character", ["a", "\u20ac", "\U0001f600"])
def test_ids_as_long_as_the_interface_takes_are_listed_read_and_deleted(
    open_client: OpenClient, character: str
) -> None:
    client, long = open_client(), character * MAX_ID_CHARACTERS
    write_view(client, ITEMS, items({"b": 1, long: 2, long[:-1]: 3, "\uffee": 4}))
    write_view(client, USERS, users(AS_OF).set_column(0, "user_id", pa.array([long, "u2"])))

    assert prices(client, [long, "b", long[:-1], "\uffee"]) == [2, 1, 3, 4]
    assert client.entities("items") == Entities(sorted(["b", long, long[:-1], "\uffee"]), unnamed=0)
    assert client.read("users", [long]).texts("city") == client.read("users", [long, "u2"]).texts("city")[:1] != [None]
    assert client.entities("users").texts == sorted([long, "u2"])
    assert client.delete_entity("user_id", long) == 1
    assert client.entities("users").texts == ["u2"]


def test_rows_that_cannot_be_read_are_absent_and_counted(open_client: OpenClient) -> None:
    client = open_client()
    write_view(client, ITEMS, items({"a": 1, "b": 2}))
    key = row_keys(client.namespace("items").rows, ("item_id",), ["b"])[0]
    for wrong in (b"", b"\0" * 500, client.backend.read([key])[0][:-8]):  # type: ignore[index]
        client.backend.put(key, wrong)
        rows, lost = client.read_valid(ITEMS, ["a", "b", "c"])
        assert (rows.found.tolist(), lost) == ([True, False, False], 1)
    with pytest.raises(StoreError, match="packed row"):
        client.read_valid(ITEMS, ["b"])


def test_one_key_is_read_in_several_views_at_once(open_client: OpenClient) -> None:
    client = open_client()
    write_view(client, ITEMS, items({"u1": 2.5}))
    write_view(client, USERS, users(AS_OF))
    item, user = client.read_each([ITEMS, USERS], "u1")
    assert item is not None
    assert user is not None
    assert item.matrix(["price"]).tolist() == [[2.5]]
    names = ("history", "last")
    listed = [(offsets.tolist(), values.tolist()) for offsets, values in user.only_row(names)]
    assert listed == [(array.offsets.tolist(), array.values.tolist()) for array in map(user.arrays, names)]
    with pytest.raises(StoreError, match="feature trips is packed as float32; expected an array"):
        user.only_row(["history", "trips"])


def test_of_what_is_absent_or_expired_nothing_is_read(open_client: OpenClient) -> None:
    write_view(open_client(), USERS, users(AS_OF))
    late = open_client(now=AS_OF + USERS.ttl + timedelta(microseconds=1))  # type: ignore[operator]
    assert late.read_each([ITEMS, USERS], "u1") == [None, None]


def test_a_clock_without_a_zone_is_refused(open_client: OpenClient) -> None:
    write_view(open_client(), USERS, users(AS_OF))
    with pytest.raises(StoreError, match="clock says 2017-08-28T00:00:00 without a zone"):
        open_client(now=AS_OF.replace(tzinfo=None)).read("users", ["u1"])


def test_an_older_row_never_overwrites_a_newer_one(open_client: OpenClient) -> None:
    client = open_client()
    write_view(client, ITEMS, items({"a": 1, "b": 2}))
    earlier, later = AS_OF - timedelta(days=1), AS_OF + timedelta(days=1)
    mixed = items({"a": 10, "b": 20, "c": 30}, at=[earlier, later, earlier])
    assert write_view(client, ITEMS, mixed) == WriteReport(3, 2, 1)
    assert prices(client, ["a", "b", "c"]) == [1, 20, 30]


def test_of_two_rows_of_one_time_the_later_created_stands(open_client: OpenClient) -> None:
    client = open_client()
    hours = [AS_OF + timedelta(hours=hour) for hour in (0, 1, 2)]

    def write(price: float, created: datetime | None) -> int:
        table = items({"a": price}, created=pa.array([created], TIME))
        return write_view(client, ITEMS, table, created="created").written

    assert [write(1, None), write(2, hours[1]), write(3, hours[0]), write(4, None)] == [1, 1, 0, 0]
    assert prices(client, ["a"]) == [2]
    assert write(5, hours[1]) == 1
    assert prices(client, ["a"]) == [5]


def test_of_a_key_given_twice_the_newest_row_counts(open_client: OpenClient) -> None:
    client = open_client()
    table = pa.concat_tables([items({"a": 1, "b": 5}), items({"a": 2}, at=AS_OF + timedelta(1)), items({"a": 3})])
    assert write_view(client, ITEMS, table) == WriteReport(2, 2, 0)
    assert prices(client, ["a", "b"]) == [2, 5]


def test_bytes_are_the_same_in_either_order_of_writing(open_client: OpenClient) -> None:
    old, new = items({"a": 1, "b": 1}), items({"b": 2, "c": 2}, at=AS_OF + timedelta(1))
    first, second = open_client("first"), open_client("first-again")
    for table in (old, new):
        write_view(first, ITEMS, table)
    for table in (new, old):
        write_view(second, ITEMS, table)
    assert prices(first, ["a", "b", "c"]) == prices(second, ["a", "b", "c"]) == [1, 2, 2]


def test_a_table_lacking_a_key_or_a_time_is_refused(open_client: OpenClient) -> None:
    client = open_client()
    table = items({"a": 1, "b": 2})
    with pytest.raises(StoreError, match="join key item_id is not in the table"):
        write_view(client, ITEMS, table.drop_columns(["item_id"]))
    with pytest.raises(StoreError, match="join key item_id is missing in 1 of 2 rows"):
        write_view(client, ITEMS, table.set_column(0, "item_id", pa.array(["a", None])))
    with pytest.raises(StoreError, match="time column event_timestamp is not in the table"):
        write_view(client, ITEMS, table.drop_columns(["event_timestamp"]))
    with pytest.raises(StoreError, match="1 of 2 rows have no time"):
        write_view(client, ITEMS, items({"a": 1, "b": 2}, at=[AS_OF, None]))  # type: ignore[list-item]


def test_an_empty_table_writes_nothing_and_makes_the_view_known(open_client: OpenClient) -> None:
    client = open_client()
    assert write_view(client, ITEMS, items({})) == WriteReport(0, 0, 0)
    assert prices(open_client(), ["a"]) == [None]


def test_rows_of_another_schema_are_refused(open_client: OpenClient) -> None:
    client = open_client()
    write_view(client, ITEMS, items({"a": 1}))
    changed = PackedView("items", PackedSchema.of({"price": "float64", "orders": "int64"}), ("item_id",))
    with pytest.raises(StoreError, match=r"view items in .* revision 'r1': 1 of 1 packed rows have schema"):
        client.read(changed, ["a"])


def test_revisions_stand_side_by_side_until_one_is_deleted(open_client: OpenClient) -> None:
    old, new = open_client("r/1"), open_client("r:2")
    write_view(old, ITEMS, items({"a": 1, "b": 2}))
    write_view(new, ITEMS, items({"a": 3}))
    assert old.revisions("items") == ["r/1", "r:2"]
    assert prices(old, ["a"]) + prices(new, ["a"]) == [1, 3]
    assert new.delete_revision("items", "r/1") == 2
    assert new.revisions("items") == ["r:2"]
    assert prices(new, ["a"]) == [3]
    with pytest.raises(StoreError, match=r"'items' of project .* found revisions \['r:2'\]: materialize"):
        open_client("r/1").read("items", ["a"])


def test_an_entity_is_deleted_in_every_view_that_it_keys_at_every_revision(open_client: OpenClient) -> None:
    old, new = open_client("r1"), open_client("r2")
    longer = PackedView("items2", ITEMS.schema, ("item_id",))
    for client, view in ((old, ITEMS), (new, ITEMS), (new, longer)):
        write_view(client, view, items({"a": 1, "ab": 2}))
    assert old.delete_entity("user_id", "a") == 0
    assert old.delete_entity("item_id", "a") == 3
    old.backend.scrub()
    for client, view in ((old, ITEMS), (new, ITEMS), (new, longer)):
        assert client.read(view, ["a", "ab"]).found.tolist() == [False, True]
    assert new.delete_entity("item_id", "a") == 0


def test_views_and_projects_do_not_meet(open_client: OpenClient) -> None:
    client = open_client()
    longer = PackedView("items2", ITEMS.schema, ("item_id",))
    write_view(client, ITEMS, items({"a": 1}))
    write_view(client, longer, items({"a": 2}))
    other = PackedClient(client.backend, project=client.project + "2", revision="r1", clock=lambda: AS_OF)
    write_view(other, ITEMS, items({"a": 3}))
    client.delete_revision("items", "r1")
    assert client.read_matrix(longer, ["a"], ["price"]).tolist() == [[2]]
    assert prices(other, ["a"]) == [3]
    other.delete_revision("items", "r1")


def test_the_store_keeps_the_clock_of_a_home(open_client: OpenClient) -> None:
    client = open_client()
    assert client.stored_clock() is None
    client.set_clock(StoredClock(AS_OF))
    assert open_client().stored_clock() == StoredClock(AS_OF)
    live = StoredClock(AS_OF, anchored_at=datetime.now(UTC) - timedelta(hours=2))
    client.set_clock(live)
    kept = open_client().stored_clock()
    assert kept == live
    assert timedelta(hours=2) <= live() - AS_OF < timedelta(hours=3)
    assert StoredClock(AS_OF)() == AS_OF
    with pytest.raises(StoreError, match="as_of is 2017-08-28T00:00:00 without a zone"):
        StoredClock(AS_OF.replace(tzinfo=None))


def test_rows_that_come_out_changed_stop_the_writer(open_client: OpenClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client = open_client()
    read = client.backend.read
    monkeypatch.setattr(client.backend, "read", lambda keys: [None, *read(keys)[1:]])
    with pytest.raises(StoreError, match=r"1 of 2 rows came out of .* changed, the first under key b'rl1/shop"):
        write_view(client, ITEMS, items({"a": 1, "b": 2}))
    assert write_view(client, ITEMS, items({"a": 1, "b": 2}), verify=False).written == 2


def test_large_tables_and_large_rows_go_in_several_batches(open_client: OpenClient) -> None:
    client = open_client()
    write_view(client, ITEMS, items({f"i{place}": place for place in range(7_001)}))
    assert prices(client, ["i0", "i3000", "i7000", "i7001"]) == [0, 3000, 7000, None]
    assert len(client.read("items", [f"i{place}" for place in range(7_001)])) == 7_001
    large = PackedView("large", PackedSchema.of({"history": "list<int64>"}), ("item_id",))
    table = items({f"i{place}": 0 for place in range(40)}).append_column("history", pa.array([[1] * 50_000] * 40))
    write_view(client, large, table)
    assert client.read(large, ["i39"]).arrays("history").values.sum() == 50_000


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://somewhere", "'mysql://somewhere' is not understood; expected lmdb:///path or redis://host:port/db"),
        ("lmdb://", "expected lmdb:///folder"),
        ("lmdb:///x?map_size=lots", "expected lmdb:///folder"),
        ("redis://localhost:port/0", "expected one such as redis://"),
    ],
)
def test_a_url_that_is_wrong_says_what_is_right(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        PackedClient.open(url, project="p", revision="r", clock=lambda: AS_OF)
