"""Online rows are what batch reads from the snapshot, to the last bit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow.parquet as pq
import pytest

from components.build_features.snapshots import build_features
from components.contracts.errors import StoreError
from components.contracts.moments import EPOCH, MICROSECOND
from components.features.snapshots.sets import FeatureSet, open_set
from components.home.layout import Home
from components.materialize_features.packed_rows import open_client, write_newest
from components.ranking.recommending import users_between
from components.ranking.rows import ItemRows, UserRows, item_rows, user_rows
from components.ranking_service.answering import online_rows
from components.ranking_service.answering.online_rows import OnlineRows
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.keys import row_keys
from feature_repo.project import PROJECT
from tests.components.build_features.homes import home_of, quiet, small_shop


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, FeatureSet]:
    home, clean = home_of(tmp_path_factory.mktemp("online"))
    chosen = open_set(build_features(small_shop(), home, clean, quiet).handle)
    with open_client(home, chosen) as client:
        write_newest(client, chosen)
    return home, chosen


@contextmanager
def online(built: tuple[Home, FeatureSet]) -> Iterator[OnlineRows]:
    with open_client(*built) as client:
        yield OnlineRows(client)


def stored(chosen: FeatureSet) -> tuple[UserRows, ItemRows]:
    """What batch recommendations read."""
    items = item_rows(pq.read_table(chosen.newest("item_features"), partitioning=None))
    return user_rows(pq.read_table(chosen.newest("user_features"), partitioning=None), items), items


def same(found: UserRows | ItemRows, expected: UserRows | ItemRows) -> None:
    assert found.columns.keys() == expected.columns.keys()
    assert found.arrays.keys() == expected.arrays.keys()
    for name, values in expected.columns.items():
        np.testing.assert_array_equal(found.columns[name], values, err_msg=name, strict=True)
    for name, ragged in expected.arrays.items():
        np.testing.assert_array_equal(found.arrays[name].offsets, ragged.offsets, err_msg=name, strict=True)
        np.testing.assert_array_equal(found.arrays[name].values, ragged.values, err_msg=name)
        assert found.arrays[name].values.dtype == ragged.values.dtype, name


def test_items_are_those_of_the_newest_snapshot(built: tuple[Home, FeatureSet]) -> None:
    _, expected = stored(built[1])
    with online(built) as rows:
        found = rows.items().rows
    assert found.item_ids.tolist() == expected.item_ids.tolist()
    np.testing.assert_array_equal(found.codes, expected.codes, strict=True)
    same(found, expected)


def test_every_user_is_the_one_of_the_newest_snapshot(built: tuple[Home, FeatureSet]) -> None:
    expected, items = stored(built[1])
    with online(built) as rows:
        for place, user_id in enumerate(expected.user_ids.tolist()):
            row = rows.read_user(user_id, items)
            assert row.has_row
            assert row.event_time == (built[1].as_of - EPOCH) // MICROSECOND
            assert row.rows.user_ids.tolist() == [user_id]
            same(row.rows, users_between(expected, place, place + 1))


def test_items_are_read_some_at_a_time(built: tuple[Home, FeatureSet], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(online_rows, "ITEMS_AT_ONCE", 5)
    with online(built) as rows:
        same(rows.items().rows, stored(built[1])[1])


def test_items_are_read_although_they_have_expired_and_tell_how_old_they_are(built: tuple[Home, FeatureSet]) -> None:
    home, chosen = built
    later = chosen.as_of + timedelta(days=chosen.ttl_days + 1)
    client = PackedClient.open(home.online_url, project=PROJECT, revision=chosen.revision, clock=lambda: later)
    rows = OnlineRows(client)
    found = rows.items()
    same(found.rows, stored(chosen)[1])
    assert found.newest == (chosen.as_of - EPOCH) // MICROSECOND
    assert not rows.read_user("u1", found.rows).has_row, "a user's row is too old to be true"
    client.close()


def test_features_that_were_never_written_are_named(built: tuple[Home, FeatureSet]) -> None:
    home, chosen = built
    with (
        open_client(home, replace(chosen, revision="another")) as client,
        pytest.raises(StoreError, match="at revision 'another'"),
    ):
        OnlineRows(client)


def test_item_rows_that_cannot_be_read_are_left_out_and_counted(
    built: tuple[Home, FeatureSet], caplog: pytest.LogCaptureFixture
) -> None:
    home, chosen = built
    with open_client(home, chosen) as client:
        prefix = client.namespace("item_features").rows
        nameless, torn = row_keys(prefix, ("item_id",), ["i" * 300, "torn"])
        standing = OnlineRows(client).items().rows
        whole = client.backend.read(row_keys(prefix, ("item_id",), [standing.item_ids[0]]))[0]
        assert whole is not None
        client.backend.put(nameless, whole)
        client.backend.put(torn, whole[:-8])
        try:
            same(OnlineRows(client).items().rows, standing)
        finally:
            client.backend.delete([nameless, torn])
    assert f"2 of {len(standing) + 2} item rows cannot be read" in caplog.text


def test_a_user_without_a_row_has_an_empty_history(built: tuple[Home, FeatureSet]) -> None:
    _, items = stored(built[1])
    with online(built) as rows:
        known, found = rows.read_user("u1", items), rows.read_user("nobody", items)
    assert (known.has_row, found.has_row) == (True, False)
    assert found.rows.columns.keys() == known.rows.columns.keys()
    assert found.rows.arrays.keys() == known.rows.arrays.keys()
    assert all(np.isnan(values).tolist() == [True] for values in found.rows.columns.values())
    assert all(ragged.offsets.tolist() == [0, 0] for ragged in found.rows.arrays.values())
