"""The last list of each user is written to the store, and found there by its request."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from components.contracts.errors import StoreError
from components.feedback.segments.records import ServedList
from components.ranking_service.telemetry.shown_lists import ShownLists, find_lists
from feature_repo.packed_online_store.backends.lmdb_backend import LmdbBackend
from feature_repo.packed_online_store.client import PackedClient

NOW = datetime(2024, 3, 11, tzinfo=UTC)
NONE = np.zeros(0, np.float32)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[PackedClient]:
    client = PackedClient.open(f"lmdb://{tmp_path}/online", project="p", revision="r", clock=lambda: NOW)
    yield client
    client.close()


def served(request_id: str, user_id: str, items: Sequence[str] = ("a", "b"), hours_ago: int = 0) -> ServedList:
    at = NOW - timedelta(hours=hours_ago)
    return ServedList(request_id, at, NOW, user_id, "", "champion", items, NONE, NONE.astype("f8"), NONE, "")


def test_the_last_list_of_a_user_is_found_by_its_request(client: PackedClient) -> None:
    lists = ShownLists()
    for shown in (served("r1", "ann"), served("r2", "ann", ["c"]), served("r3", "bob")):
        lists.show(shown)
    assert (lists.write(client), lists.write(client)) == (2, 0)
    found = find_lists(client, {"ann": "r2", "bob": "r1", "cid": "r3"})
    assert [(each.request_id, each.arm, each.item_ids) for each in found] == [("r2", "champion", ("c",))]


def test_a_list_of_long_ago_is_not_found(client: PackedClient) -> None:
    lists = ShownLists()
    lists.show(served("r1", "ann", hours_ago=2))
    lists.write(client)
    assert find_lists(client, {"ann": "r1"}) == []


def test_what_a_store_refuses_is_written_later_unless_its_user_was_forgotten(
    client: PackedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("full")

    lists = ShownLists()
    lists.show(served("r1", "ann"))
    lists.show(served("r2", "bob"))
    with monkeypatch.context() as patch:
        patch.setattr(LmdbBackend, "write_newer", full)
        with pytest.raises(StoreError, match="full"):
            lists.write(client)
    lists.show(served("r3", "bob"))
    lists.drop_forgotten({"ann"})
    assert lists.write(client) == 1
    assert [each.request_id for each in find_lists(client, {"ann": "r1", "bob": "r3"})] == ["r3"]
