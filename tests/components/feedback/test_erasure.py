"""A user is erased from the log while a service writes it; nothing of others is lost."""

import asyncio
from concurrent.futures import Future
from pathlib import Path

import pytest

from components.feedback.acknowledgements import TombstoneAcknowledger, await_acknowledgements
from components.feedback.erasure import erase_feedback, holds_part
from components.feedback.group_writer import WritingLimits
from components.feedback.reading import served_events, served_lists
from components.feedback.segment_sink import journal_sink
from components.feedback.segments.files import segments
from components.feedback.segments.layout import FeedbackLayout
from components.home.data_subject import DataSubject, Erased
from components.home.layout import Home
from components.home.tombstones import TombstoneView, add_tombstone
from tests.components.feedback.rows import a_list, an_event, log_all

ODD = 'ä "1"\n'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def requests_of(home: Home) -> list[str]:
    return sorted(served_lists(home)["request_id"].to_pylist())


def events_of(home: Home) -> list[str]:
    return sorted(served_events(home)["event_id"].to_pylist())


@pytest.mark.parametrize("user_id", ["12", ODD])
def test_moved_lists_and_sealed_segments_lose_the_users_lines_alone(home: Home, user_id: str) -> None:
    own = {"user_id": user_id}
    log_all(home.feedback, a_list("r1", **own), a_list("r2", user_id="128"), an_event("e1", **own), an_event("e2"))
    names = [path.name for path in segments(FeedbackLayout(home.feedback).events)]

    assert erase_feedback(home, DataSubject(user_id)).rows == 2

    assert (requests_of(home), events_of(home)) == (["r2"], ["e2"])
    assert [path.name for path in segments(FeedbackLayout(home.feedback).events)] == names
    assert erase_feedback(home, DataSubject(user_id)) == Erased(searched=5)


def test_a_segment_that_a_service_holds_is_blanked_where_it_stands(home: Home) -> None:
    with journal_sink(home.feedback, WritingLimits(write_seconds=0.01)) as log:
        asyncio.run(log.take([an_event("e1", user_id="ann"), an_event("e2"), an_event("e3", user_id="ann")]))
        [segment] = segments(FeedbackLayout(home.feedback).events)
        before = segment.stat()
        assert erase_feedback(home, DataSubject("ann")) == Erased(rows=2, files=1, searched=1)
        after = segment.stat()
        assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        asyncio.run(log.take([an_event("e4")]))
        assert log.show(a_list("r1"))
    assert b"ann" not in segment.read_bytes()
    assert (events_of(home), requests_of(home)) == (["e2", "e4"], ["r1"])


@pytest.mark.parametrize("user_id", ["12", "ann-17", 'o"a'])
def test_ids_of_others_that_hold_this_one_keep_their_line_and_its_length(home: Home, user_id: str) -> None:
    person = DataSubject(user_id, tombstone="t")
    them, context = person.part.stand_in, '{"session_id":"12-1"}'
    with journal_sink(home.feedback, WritingLimits(write_seconds=0.01)) as log:
        asyncio.run(
            log.take(
                [
                    an_event("e1", session_id=f"{user_id}-20260909-1"),
                    an_event(f"click-{user_id}", user_id="bob", request_id=f"{user_id}/r"),
                    an_event("e3", user_id=f"{user_id}-b", session_id=f"{user_id}-b-1"),
                    an_event("e4", session_id=f"x{user_id}-1"),
                ]
            )
        )
        [segment] = segments(FeedbackLayout(home.feedback).events)
        before = segment.stat()
        assert holds_part(segment, person)
        assert erase_feedback(home, person) == Erased(files=1, searched=1, parts=2)
        assert segment.stat().st_size == before.st_size
        asyncio.run(log.take([an_event("e5")]))
        assert log.show(a_list("r1", user_id="bob", context=context))
    rows = served_events(home).to_pylist()
    assert [row["event_id"] for row in rows] == ["e1", f"click-{them}", "e3", "e4", "e5"]
    assert [row["session_id"] for row in rows[:4]] == [f"{them}-20260909-1", None, f"{user_id}-b-1", f"x{user_id}-1"]
    assert rows[1]["request_id"] == f"{them}/r"
    erase_feedback(home, person)
    [shown] = served_lists(home).to_pylist()
    assert shown["context"] == (f'{{"session_id":"{them}-1"}}' if user_id == "12" else context)
    assert not holds_part(segment, person)


def test_a_line_that_a_kill_tore_goes_once_nobody_appends(home: Home) -> None:
    log_all(home.feedback, an_event("e1", user_id="ann"), an_event("e2"))
    [segment] = segments(FeedbackLayout(home.feedback).events)
    with segment.open("ab") as file:
        file.write(b'{"user_id":"ann","item')
    assert erase_feedback(home, DataSubject("ann")).rows == 2
    assert b"ann" not in segment.read_bytes()
    assert events_of(home) == ["e2"]


def test_a_segment_of_one_user_alone_is_empty_to_its_readers(home: Home) -> None:
    log_all(home.feedback, an_event("e1", user_id="ann"))
    erase_feedback(home, DataSubject("ann"))
    assert events_of(home) == []
    with journal_sink(home.feedback) as log:
        assert asyncio.run(log.take([an_event("e1", user_id="bob")])).accepted == 1


def test_a_home_that_never_served_has_nothing(home: Home) -> None:
    assert erase_feedback(home, DataSubject("ann")) == Erased()
    assert await_acknowledgements(home, 0.0) == (0, 0)


def test_a_process_says_that_it_knows_once_it_has_dropped_a_user_and_settled(home: Home) -> None:
    known = TombstoneView(home.tombstones)
    held, write = ["ann", "bob"], Future[None]()

    def drop() -> Future[None]:
        held[:] = [user for user in held if user not in known]
        return write

    process = TombstoneAcknowledger(home, known)
    assert await_acknowledgements(home, 0.0) == (1, 0)
    add_tombstone(home.tombstones, "ann")
    for _ in range(3):
        process.follow(drop)
        assert held == ["bob"]
        assert await_acknowledgements(home, 0.0) == (0, 1)
    write.set_result(None)
    process.follow(drop)
    assert await_acknowledgements(home, 0.0) == (1, 0)
    process.close()
    assert await_acknowledgements(home, 0.0) == (0, 0)


def test_a_process_that_was_killed_is_not_waited_for(home: Home) -> None:
    process = TombstoneAcknowledger(home, TombstoneView(home.tombstones))
    left = process.note.read_bytes()
    process.close()
    process.note.write_bytes(left)  # as a kill leaves it: the note stays, the lock goes
    add_tombstone(home.tombstones, "ann")
    assert await_acknowledgements(home, 5.0) == (0, 0)
    assert not process.note.exists()
