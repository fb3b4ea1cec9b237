"""Sessions are kept in memory, bounded, and written to the packed store as soon as it takes them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components.contracts.errors import StoreError
from components.contracts.feedback import SERVED_EVENTS
from components.contracts.moments import EPOCH, MICROSECOND
from components.ranking.rows import ItemRows
from components.ranking.sessions import Session
from components.ranking_service.answering import sessions as module
from components.ranking_service.answering.sessions import (
    EVENT_COLUMNS,
    MAX_EVENTS,
    MAX_WRITES,
    SessionEvent,
    Sessions,
    journal_sessions,
    session_table,
    stored_sessions,
)
from feature_repo.packed_online_store.backends.lmdb_backend import LmdbBackend
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.rows import PackedRows
from feature_repo.packed_online_store.writing import write_view
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
    write_view(client, session_view(), session_table({"ann": first, "bob": second}))
    rows = client.read(session_view(), ["bob", "nobody", "ann"])
    bob, nobody, ann = stored_sessions(rows)
    same(ann, first)
    same(bob, second)
    assert nobody is None


def test_a_stored_session_is_forgotten_after_its_time(client: PackedClient) -> None:
    write_view(client, session_view(), session_table({"ann": session_of("view", at=AT - TTL // MICROSECOND - 1)}))
    assert stored_sessions(client.read(session_view(), ["ann"])) == [None]


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


def test_a_row_that_another_process_wrote_over_is_written_again(
    client: PackedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Sessions(), Sessions()
    one.add([happened("ann", 1, at=AT - 1)], nothing)
    other.add([happened("ann", 2, at=AT)], nothing)
    read_too_early = client.read(session_view(), ["ann"])
    one.write(client)
    with monkeypatch.context() as patch:
        patch.setattr(PackedClient, "read", lambda *_, **__: read_too_early)
        other.write(client)
    assert one.write(client) == 1
    rows = client.read(session_view(), ["ann"])
    for process in (one, other):
        session = process.of("ann", rows)
        assert session is not None
        assert session.codes.tolist() == [1, 2]
    assert (one.write(client), other.write(client)) == (0, 0)
    assert (one.unsettled, other.unsettled) == (0, 0)


def test_an_older_event_that_another_process_took_is_in_the_session_at_once(client: PackedClient) -> None:
    one, other = Sessions(), Sessions()
    one.add([happened("ann", 2, at=AT)], nothing)
    one.write(client)
    one.write(client)
    other.add([happened("ann", 1, at=AT - 1)], lambda users: client.read(session_view(), users))
    other.write(client)
    session = one.of("ann", client.read(session_view(), ["ann"]))
    assert session is not None
    assert session.codes.tolist() == [1, 2]


def test_a_row_that_does_not_read_back_is_not_written_without_end(client: PackedClient) -> None:
    sessions = Sessions()
    sessions.add([happened("ann", at=AT - TTL // MICROSECOND - 1)], nothing)
    written = [sessions.write(client) for _ in range(2 * MAX_WRITES)]
    assert sum(written) == MAX_WRITES
    assert sessions.unsettled == 0


def test_only_what_changed_is_written(client: PackedClient) -> None:
    sessions = Sessions()
    sessions.add([happened("ann")], nothing)
    assert [sessions.write(client), sessions.write(client)] == [1, 0]
    sessions.add([happened("ann", 2), happened("bob")], nothing)
    assert sessions.write(client) == 2


def test_what_a_store_refuses_is_written_later(client: PackedClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StoreError("full")

    sessions = Sessions()
    sessions.add([happened("ann")], nothing)
    with monkeypatch.context() as patch:
        patch.setattr(LmdbBackend, "write_newer", full)
        with pytest.raises(StoreError, match="full"):
            sessions.write(client)
        sessions.add([happened("bob")], nothing)
    assert sessions.write(client) == 2
    same(stored_sessions(client.read(session_view(), ["ann"]))[0], sessions.of("ann", None))


def test_a_user_keeps_so_many_events(client: PackedClient) -> None:
    sessions = Sessions()
    sessions.add([happened("ann", item) for item in range(MAX_EVENTS + 5)], nothing)
    held = sessions.of("ann", None)
    assert held is not None
    assert held.codes.tolist() == list(range(5, MAX_EVENTS + 5))


def test_so_many_users_are_kept_those_of_late() -> None:
    sessions = Sessions(max_users=3)
    for user in ("a", "b", "c", "a", "d"):
        sessions.add([happened(user)], nothing)
    assert [user for user in "abcd" if sessions.of(user, None)] == ["a", "c", "d"]
    assert (sessions.users, sessions.dropped) == (3, 1)


def test_a_forgotten_user_is_neither_kept_nor_written(client: PackedClient) -> None:
    sessions = Sessions()
    sessions.add([happened("ann"), happened("bob")], nothing)
    sessions.forget("ann")
    assert sessions.of("ann", None) is None
    assert sessions.write(client) == 1


def journal(*events: SessionEvent) -> dict[str, Session]:
    """What the journal says of users, those that changed last at the end."""
    rows = [
        {
            "user_id": event.user_id,
            "item_id": f"i{event.item_code}",
            "event_type": event.kind,
            "event_time": EPOCH + event.at * MICROSECOND,
            "quantity": None,
        }
        for event in events
    ]
    table = pa.Table.from_pylist(rows, schema=pa.schema([SERVED_EVENTS.field(name) for name in EVENT_COLUMNS]))
    ids = np.array([f"i{code}" for code in range(9)], dtype=object)
    return journal_sessions(table, ItemRows(ids, np.arange(9, dtype=np.int32), {}, {}))


def test_restored_events_count_once_however_far_they_had_come(client: PackedClient) -> None:
    before = Sessions()
    before.add([happened("ann", at=AT), happened("bob", at=AT)], nothing)
    before.write(client)
    before.add([happened("bob", item=2, at=AT + 1)], nothing)  # never written

    rows = journal(
        happened("ann", at=AT),
        *(happened("bob", at=AT), happened("bob", item=2, at=AT + 1)),
        *(happened("cid", at=AT), happened("cid", at=AT)),  # of one batch: two
    )
    sessions = Sessions()
    for _ in range(2):
        sessions.restore(rows)
        same(sessions.of("bob", None), before.of("bob", None))
        assert [len(sessions.of(user, None) or ()) for user in ("ann", "bob", "cid")] == [1, 2, 2]
    assert sessions.write(client) == 2, "the store has ann's already"
    assert sessions.write(client) == 0


def test_a_restored_session_goes_on_from_what_the_store_has(client: PackedClient) -> None:
    before = Sessions()
    before.add([happened("ann", item=1, at=AT)], nothing)
    before.write(client)
    asked, changed, written = Sessions(), Sessions(), Sessions()
    for found in (asked, changed, written):
        found.restore(journal(happened("ann", item=2, at=AT + 1)))
    stored = client.read(session_view(), ["ann"])
    changed.add([happened("ann", item=3, at=AT + 2)], lambda users: client.read(session_view(), users))
    written.write(client)
    codes = [session.codes.tolist() for session in (asked.of("ann", stored), changed.of("ann", stored)) if session]
    assert codes == [[1, 2], [1, 2, 3]]
    same(written.of("ann", None), asked.of("ann", stored))


def test_events_of_the_journal_become_sessions_in_the_order_of_taking() -> None:
    lines = journal(
        happened("bob", 2, "view"),
        happened("ann", 1, "click", at=AT + 5),
        happened("ann", 99),  # an item without a row
        happened("bob", 3, "purchase", at=AT - 5),
    )
    assert list(lines) == ["ann", "bob"], "who changed last comes last"
    same(lines["bob"], Session(np.array([2, 3], "i4"), ("view", "purchase"), np.array([AT, AT - 5]), np.ones(2, "f4")))
    same(lines["ann"], Session(np.array([1], "i4"), ("click",), np.array([AT + 5]), np.ones(1, "f4")))
    assert len(journal(*[happened("ann")] * (MAX_EVENTS + 1))["ann"]) == MAX_EVENTS
    assert journal() == {}


def test_of_more_users_than_may_be_held_the_last_are_restored() -> None:
    sessions = Sessions(forgotten={"zoe"}, max_users=2)
    sessions.add([happened("cid", 7)], nothing)
    assert sessions.restore(journal(*(happened(user) for user in ("cid", "ann", "zoe", "bob")))) == 1
    assert [user for user in ("ann", "bob", "cid", "zoe") if sessions.of(user, None)] == ["bob", "cid"]
    assert sessions.dropped == 1


def test_many_users_are_compared_and_written_a_few_at_a_time(
    client: PackedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMPARED_AT_ONCE", 2)
    monkeypatch.setattr(module, "WRITTEN_AT_ONCE", 1)
    sessions = Sessions()
    sessions.restore(journal(*(happened(user) for user in "abc")))
    sessions.add([happened("d"), happened("e")], nothing)
    assert [sessions.write(client) for _ in range(4)] == [3, 2, 0, 0]
    assert client.read(session_view(), list("abcde")).found.all()


def test_a_batch_of_many_users_decodes_their_rows_once(client: PackedClient, monkeypatch: pytest.MonkeyPatch) -> None:
    users = [f"u{number}" for number in range(50)]
    sessions = Sessions()
    sessions.add([happened(user) for user in users], nothing)
    sessions.write(client)
    decoded: list[int] = []
    read = PackedRows.text_lists

    def counted(rows: PackedRows, column: str) -> list[list[str] | None]:
        decoded.append(len(rows))
        return read(rows, column)

    monkeypatch.setattr(PackedRows, "text_lists", counted)
    Sessions().add([happened(user, 2) for user in users], lambda some: client.read(session_view(), some))
    assert decoded == [len(users)]
