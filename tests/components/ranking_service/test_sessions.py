"""Sessions are kept in memory, bounded, and written to the packed store as soon as it takes them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from components.contracts.errors import StoreError
from components.ranking.sessions import Session
from components.ranking_service import sessions as module
from components.ranking_service.sessions import MOST_EVENTS, SessionEvent, Sessions, session_table, stored_session
from feature_repo.packed_online_store.client import EPOCH, MICROSECOND, PackedClient
from feature_repo.packed_online_store.lmdb_backend import LmdbBackend
from feature_repo.packed_online_store.rows import PackedRows
from feature_repo.sessions import TTL, session_view

NOW = datetime(2024, 3, 11, tzinfo=UTC)
AT = (NOW - EPOCH) // MICROSECOND


@pytest.fixture
def client(tmp_path: Path) -> Iterator[PackedClient]:
    found = PackedClient.open(f"lmdb://{tmp_path}/online", project="p", revision="r", clock=lambda: NOW)
    yield found
    found.close()


def session_of(*kinds: str, at: int = AT) -> Session:
    many = len(kinds)
    return Session(
        np.arange(many, dtype=np.int32), kinds, np.full(many, at) - np.arange(many)[::-1], np.ones(many, "f4")
    )


def happened(user: str, item: int = 1, kind: str = "view", at: int = AT) -> SessionEvent:
    return SessionEvent(user, item, kind, at)


def nothing(users: Sequence[str]) -> PackedRows | None:
    return None


def same(found: Session | None, expected: Session | None) -> None:
    assert found is not None
    assert expected is not None
    assert (found.codes.tolist(), found.kinds) == (expected.codes.tolist(), expected.kinds)
    assert (found.at.tolist(), found.units.tolist()) == (expected.at.tolist(), expected.units.tolist())


def test_a_session_reads_back_from_the_packed_store_as_it_was_written(client: PackedClient) -> None:
    first, second = session_of("view", "purchase", "click"), session_of("add_to_cart")
    client.write_table(session_view(), session_table({"ann": first, "bob": second}))
    rows = client.read(session_view(), ["bob", "nobody", "ann"])
    same(stored_session(rows, 2), first)
    same(stored_session(rows), second)
    assert stored_session(rows, 1) is None


def test_a_stored_session_is_forgotten_after_its_time(client: PackedClient) -> None:
    client.write_table(session_view(), session_table({"ann": session_of("view", at=AT - TTL // MICROSECOND - 1)}))
    assert stored_session(client.read(session_view(), ["ann"])) is None


def test_another_process_goes_on_from_what_the_store_has(client: PackedClient) -> None:
    one, other = Sessions(), Sessions()
    one.add([happened("ann", 1), happened("bob", 2)], nothing)
    assert one.write(client) == 2
    asked: list[Sequence[str]] = []

    def stored(users: Sequence[str]) -> PackedRows:
        asked.append(users)
        return client.read(session_view(), users)

    other.add([happened("ann", 7), happened("zoe", 8), happened("ann", 9)], stored)
    assert asked == [["ann", "zoe"]], "all at once, each once"
    for user, codes in (("ann", [1, 7, 9]), ("zoe", [8])):
        found = other.of(user, None)
        assert found is not None
        assert found.codes.tolist() == codes
    assert other.of("bob", None) is None
    same(other.of("bob", client.read(session_view(), ["bob"])), one.of("bob", None))


def test_what_processes_take_in_turn_comes_together(client: PackedClient) -> None:
    def stored(users: Sequence[str]) -> PackedRows:
        return client.read(session_view(), users)

    one, other = Sessions(), Sessions()
    for number, process in enumerate((one, other, one, other)):
        process.add([happened("ann", number, at=AT - 10 + number)], stored)
        process.write(client)
    for process in (one, other):
        found = process.of("ann", stored(["ann"]))
        assert found is not None
        assert found.codes.tolist() == [0, 1, 2, 3]


def test_only_what_changed_is_written(client: PackedClient) -> None:
    found = Sessions()
    found.add([happened("ann")], nothing)
    assert [found.write(client), found.write(client)] == [1, 0]
    found.add([happened("ann", 2), happened("bob")], nothing)
    assert found.write(client) == 2


def test_what_a_store_refuses_is_written_later(client: PackedClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StoreError("full")

    found = Sessions()
    found.add([happened("ann")], nothing)
    with monkeypatch.context() as patch:
        patch.setattr(LmdbBackend, "write_newer", full)
        with pytest.raises(StoreError, match="full"):
            found.write(client)
        found.add([happened("bob")], nothing)
    assert found.write(client) == 2
    same(stored_session(client.read(session_view(), ["ann"])), found.of("ann", None))


def test_a_user_keeps_so_many_events(client: PackedClient) -> None:
    found = Sessions()
    found.add([happened("ann", item) for item in range(MOST_EVENTS + 5)], nothing)
    held = found.of("ann", None)
    assert held is not None
    assert held.codes.tolist() == list(range(5, MOST_EVENTS + 5))


def test_so_many_users_are_kept_those_of_late(monkeypatch: pytest.MonkeyPatch, client: PackedClient) -> None:
    monkeypatch.setattr(module, "MOST_USERS", 3)
    found = Sessions()
    for user in ("a", "b", "c", "a", "d"):
        found.add([happened(user)], nothing)
    assert [user for user in "abcd" if found.of(user, None)] == ["a", "c", "d"]


def test_a_forgotten_user_is_neither_kept_nor_written(client: PackedClient) -> None:
    found = Sessions()
    found.add([happened("ann"), happened("bob")], nothing)
    found.forget("ann")
    assert found.of("ann", None) is None
    assert found.write(client) == 1


def test_restored_events_count_once_however_far_they_had_come(client: PackedClient) -> None:
    before = Sessions()
    before.add([happened("ann", at=AT), happened("bob", at=AT)], nothing)
    before.write(client)
    before.add([happened("bob", item=2, at=AT + 1)], nothing)  # never written

    def stored(users: Sequence[str]) -> PackedRows:
        return client.read(session_view(), users)

    journal = [
        happened("ann", at=AT),
        *(happened("bob", at=AT), happened("bob", item=2, at=AT + 1)),
        *(happened("cid", at=AT), happened("cid", at=AT)),  # of one batch: two
    ]
    found = Sessions()
    for _ in range(2):
        found.restore(journal, stored)
        same(found.of("bob", None), before.of("bob", None))
        assert [len(found.of(user, None) or ()) for user in ("ann", "bob", "cid")] == [0, 2, 2]
    assert found.write(client) == 2
