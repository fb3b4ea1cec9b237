"""A sink of a home in a bucket keeps what it acknowledged, and needs nothing of this machine."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest

from components.contracts.errors import StorageError
from components.feedback import acknowledgements, reading
from components.feedback.acknowledgements import TombstoneAcknowledger, await_acknowledgements
from components.feedback.compaction.moving_lists import move_lists
from components.feedback.compaction.retention import join_segments
from components.feedback.erasure import erase_segments
from components.feedback.reading import end_of_events, last_events, served_events, served_lists
from components.feedback.segment_sink import BUCKET_LIMITS, SegmentSink, bucket_sink
from components.feedback.segments.layout import FeedbackLayout, has_feedback
from components.feedback.segments.objects import SegmentObject, segment_objects
from components.feedback.segments.records import event_line
from components.feedback.sink import EventsRefusedError, IngestResult
from components.home.data_subject import DataSubject, Erased
from components.home.layout import Home
from components.home.storage.documents import create_document, read_document, remove_document
from components.home.storage.locations import BucketPath
from components.home.tombstones import TombstoneView, add_tombstone
from tests.components.feedback.rows import MOMENT, a_list, an_event, nothing_is_held
from tests.waiting import until

QUICK = replace(BUCKET_LIMITS, group_seconds=0.0, write_seconds=0.01, retry_seconds=0.01)
KILLS = 20


@pytest.fixture
def home(bucket: BucketPath) -> Home:
    return Home(bucket)


@pytest.fixture
def layout(home: Home) -> FeedbackLayout[BucketPath]:
    assert isinstance(home.feedback, BucketPath)
    return FeedbackLayout(home.feedback)


def take(sink: SegmentSink, *event_ids: str) -> IngestResult:
    return asyncio.run(sink.take([an_event(event_id) for event_id in event_ids]))


def ids(home: Home) -> Sequence[str]:
    return sorted(served_events(home)["event_id"].to_pylist())


def test_what_is_kept_is_read_from_the_bucket_alone(home: Home, layout: FeedbackLayout[BucketPath]) -> None:
    assert not has_feedback(home)
    with bucket_sink(layout.root, QUICK) as sink:
        assert sink.show(a_list("r1"))
        assert take(sink, "e1", "e2", "e1").accepted == 2
        assert ids(home) == ["e1", "e2"]
    assert has_feedback(home)
    with bucket_sink(layout.root, QUICK, forgotten={"bob"}) as sink:
        assert (take(sink, "e2", "e3").accepted, sink.facts.events_repeated) == (1, 1)
        assert sink.show(a_list("r2", user_id="bob"))
    assert ids(home) == ["e1", "e2", "e3"]
    assert served_lists(home, ["request_id"]).to_pydict() == {"request_id": ["r1"]}
    last = last_events(home, MOMENT, 2, ["event_id", "event_time", "event_type"], lambda *_: None)
    assert (last.rows["event_id"].to_pylist(), last.left) == (["e2", "e3"], 1)


def test_segments_that_ended_before_the_window_are_not_read(
    home: Home, layout: FeedbackLayout[BucketPath], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, day in enumerate((1, 2, 3, 8, 9)):
        line = event_line(an_event(f"e{day}", event_time=MOMENT.replace(day=day)))
        create_document(layout.events / f"{number:020}-0.jsonl", line)
    asked: list[str] = []

    def read(segment: SegmentObject) -> bytes:
        asked.append(segment.name[19:20])
        return read_document(segment.location) or b""

    monkeypatch.setattr(reading, "READ_AT_ONCE", 1)
    monkeypatch.setattr(SegmentObject, "lines", read)
    last = last_events(home, MOMENT.replace(day=5), 9, ["event_id", "event_time", "event_type"], lambda *_: None)
    assert (last.rows["event_id"].to_pylist(), last.left) == (["e8", "e9"], 0)
    assert asked == ["4", "3", "2"]


def test_events_that_come_together_are_one_segment(home: Home, layout: FeedbackLayout[BucketPath]) -> None:
    events = [an_event(f"e{number:03}") for number in range(100)]
    size = sum(len(event_line(event)) for event in events)

    async def come(sink: SegmentSink) -> int:
        results = await asyncio.gather(*(sink.take([event]) for event in events))
        return sum(result.accepted for result in results)

    with bucket_sink(layout.root, replace(QUICK, group_seconds=3600, group_bytes=size)) as sink:
        assert asyncio.run(come(sink)) == len(events)
    [segment] = segment_objects(layout.events)
    assert (segment.size, segment.lines().count(b"\n"), len(ids(home))) == (size, 100, 100)


def test_the_event_that_waited_for_others_is_kept_when_the_sink_closes(
    home: Home, layout: FeedbackLayout[BucketPath]
) -> None:
    sink = bucket_sink(layout.root, replace(QUICK, group_seconds=3600))

    async def close_meanwhile() -> IngestResult:
        taking = asyncio.create_task(sink.take([an_event("e1")]))
        await asyncio.sleep(0)
        await asyncio.to_thread(sink.close)
        return await taking

    assert asyncio.run(close_meanwhile()).accepted == 1
    assert ids(home) == ["e1"]


def test_while_the_bucket_refuses_events_are_sent_again_and_lists_wait(
    home: Home, layout: FeedbackLayout[BucketPath], monkeypatch: pytest.MonkeyPatch
) -> None:
    with bucket_sink(layout.root, replace(QUICK, lists=2)) as sink:
        assert take(sink, "e0").accepted == 1
        with monkeypatch.context() as wrong:
            wrong.setenv("AWS_SECRET_ACCESS_KEY", "another")
            with pytest.raises(EventsRefusedError, match="not taken: the bucket refuses; send them again"):
                take(sink, "e1")
            assert [sink.show(a_list(f"r{number}")) for number in range(3)] == [True, True, False]
        until(lambda: not sink.facts.lists_queued)
        assert take(sink, "e1").accepted == 1
        assert (sink.facts.lists_dropped, sink.facts.events_refused) == (1, 1)
    assert (ids(home), len(served_lists(home))) == (["e0", "e1"], 2)


def test_nothing_is_written_while_it_is_not_known_who_was_forgotten(
    home: Home, layout: FeedbackLayout[BucketPath]
) -> None:
    outages = [StorageError("the bucket does not answer")]

    def check() -> None:
        if outages:
            raise outages[0]

    with bucket_sink(layout.root, QUICK, (), check) as sink:
        with pytest.raises(EventsRefusedError, match="the bucket refuses; send them again"):
            take(sink, "e1")
        sink.show(a_list("r1"))
        assert (ids(home), len(served_lists(home))) == ([], 0)
        outages.clear()
        assert take(sink, "e1").accepted == 1
    assert (ids(home), len(served_lists(home))) == (["e1"], 1)


def test_a_process_that_was_cut_off_writes_nothing_of_who_was_forgotten_meanwhile(
    home: Home, layout: FeedbackLayout[BucketPath], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = TombstoneView(home.tombstones)
    process = TombstoneAcknowledger(home, known)
    remove_document(process.note)  # as `rankloop forget` does where it was not renewed for long
    add_tombstone(home.tombstones, "ann")
    assert await_acknowledgements(home, 0.0) == (0, 0)
    with monkeypatch.context() as lapsed:
        lapsed.setattr(acknowledgements, "CURRENT_SECONDS", 0.0)
        with bucket_sink(layout.root, QUICK, known, process.check_current) as sink:
            asyncio.run(sink.take([an_event("e1", user_id="ann"), an_event("e2", user_id="bob")]))
            sink.show(a_list("r1", user_id="ann"))
    assert (ids(home), len(served_lists(home))) == (["e2"], 0)
    assert await_acknowledgements(home, 0.0) == (0, 1), "it is waited for again, until it has dropped the user"
    for _ in range(2):
        process.follow(nothing_is_held)
    assert await_acknowledgements(home, 0.0) == (1, 0)


def test_a_run_moves_lists_to_the_table_once(home: Home, layout: FeedbackLayout[BucketPath]) -> None:
    with bucket_sink(layout.root, QUICK) as sink:
        sink.show(a_list("r1"))
    assert (move_lists(layout), move_lists(layout), segment_objects(layout.lists)) == (1, 0, [])
    assert len(served_lists(home)) == 1


def test_a_user_is_erased_from_segments_and_nobody_else_is(home: Home, layout: FeedbackLayout[BucketPath]) -> None:
    with bucket_sink(layout.root, QUICK) as sink:
        asyncio.run(sink.take([an_event("e1", user_id="ann"), an_event("e2", user_id="bob")]))
        take(sink, "e3")
    assert list(erase_segments(layout.events, DataSubject("ann"))) == [Erased(1, 1, 1), Erased(0, 0, 1)]
    assert ids(home) == ["e2", "e3"]
    assert b"ann" not in b"".join(segment.lines() for segment in segment_objects(layout.events))


def test_small_segments_are_joined_and_their_events_are_read_once(
    home: Home, layout: FeedbackLayout[BucketPath]
) -> None:
    with bucket_sink(layout.root, QUICK) as sink:
        for number in range(4):
            take(sink, f"e{number}")
    before, end = segment_objects(layout.events), end_of_events(home)
    assert join_segments(layout.events, max_small=4) == 0
    assert end_of_events(home) == end
    assert join_segments(layout.events, max_small=3) == 4
    [joined] = segment_objects(layout.events)
    assert (joined.changed_ns, joined.size) == (before[-1].changed_ns, sum(segment.size for segment in before))
    create_document(layout.events / before[0].name, joined.lines())  # as a kill between the two leaves it
    assert join_segments(layout.events, max_small=1) == 2
    assert ([segment.size for segment in segment_objects(layout.events)], len(ids(home))) == ([joined.size], 4)


def test_segments_that_are_joined_while_they_are_read_are_read_again(
    home: Home, layout: FeedbackLayout[BucketPath], monkeypatch: pytest.MonkeyPatch
) -> None:
    with bucket_sink(layout.root, QUICK) as sink:
        take(sink, "e1")
        take(sink, "e2")
    joins = iter([join_segments])

    def listed_before_a_join(folder: BucketPath) -> list[SegmentObject]:
        segments = segment_objects(folder)
        for join in joins:
            join(folder, max_small=0)
        return segments

    monkeypatch.setattr(reading, "list_segments", listed_before_a_join)
    assert ids(home) == ["e1", "e2"]


@pytest.mark.slow(seconds=60)
def test_writers_that_are_killed_lose_no_event_that_was_acknowledged(
    home: Home, layout: FeedbackLayout[BucketPath]
) -> None:
    words = [sys.executable, "-m", "tests.components.feedback.processes.killed_writers", str(layout.root), str(KILLS)]
    ended = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    acknowledged = {line.split()[1] for line in ended.stdout.splitlines() if line.startswith("event ")}
    kept = ids(home)
    assert acknowledged
    assert acknowledged <= set(kept)
    assert len(kept) == len(set(kept))
    with bucket_sink(layout.root, QUICK) as sink:
        again = take(sink, *acknowledged)
    assert (again.accepted, again.repeated) == (0, len(acknowledged)), "a restart knows what is kept"
