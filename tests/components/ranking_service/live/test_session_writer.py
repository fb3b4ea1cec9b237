"""Sessions and shown lists are written once it is known who was forgotten."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.contracts.errors import StorageError
from components.ranking_service.answering.sessions import Sessions
from components.ranking_service.live.session_writer import SessionWriter
from components.ranking_service.telemetry.shown_lists import ShownLists, find_lists
from feature_repo.packed_online_store.client import PackedClient
from tests.components.feedback.rows import a_list

NOW = datetime(2024, 3, 11, tzinfo=UTC)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[PackedClient]:
    client = PackedClient.open(f"lmdb://{tmp_path}/online", project="p", revision="r", clock=lambda: NOW)
    yield client
    client.close()


def test_nothing_is_written_of_a_user_who_was_forgotten_while_the_process_was_cut_off(client: PackedClient) -> None:
    shown, outages = ShownLists(), [StorageError("the bucket does not answer")]

    def drop_forgotten() -> None:
        if outages:
            raise outages.pop()
        shown.drop_forgotten({"ann"})

    for user in ("ann", "bob"):
        shown.show(a_list(f"list of {user}", user_id=user, event_time=NOW))
    writer = SessionWriter(Sessions(), shown, lambda: client, drop_forgotten)
    requests = {
        "ann": "list of ann",
        "bob": "list of bob",
    }
    writer.stop()
    assert (find_lists(client, requests), shown.waiting) == ([], 2)
    writer.stop()
    assert [each.request_id for each in find_lists(client, requests)] == ["list of bob"]
