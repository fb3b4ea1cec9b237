"""The log of one process: what it takes is on disk, what it cannot take it says."""

import asyncio
import os
from pathlib import Path

import pytest

from components.feedback.group_writer import WritingLimits
from components.feedback.segment_sink import SegmentSink, journal_sink
from components.feedback.segments.files import segments, whole_lines
from components.feedback.segments.layout import FeedbackLayout
from components.feedback.segments.records import list_line, read_events, read_lists
from components.feedback.sink import EventsRefusedError
from components.lake.tables import open_table
from tests.components.feedback.processes.slow_disk import SlowDisk
from tests.components.feedback.rows import a_list, an_event, log_all
from tests.waiting import PATIENCE_SECONDS, until


def events_in(folder: Path) -> list[str]:
    return [
        one
        for segment in segments(FeedbackLayout(folder).events)
        for one in read_events(whole_lines(segment))["event_id"].to_pylist()
    ]


def moved(folder: Path) -> list[str]:
    table = open_table(FeedbackLayout(folder).impressions)
    return [] if table is None else sorted(table.to_pyarrow_table()["request_id"].to_pylist())


def test_closing_puts_every_list_into_the_table(tmp_path: Path) -> None:
    with journal_sink(tmp_path) as log:
        assert all(log.show(a_list(f"r{number}")) for number in range(100))
    assert moved(tmp_path) == sorted(f"r{number}" for number in range(100))
    assert segments(FeedbackLayout(tmp_path).lists) == []
    assert (log.facts.lists_written, log.facts.rows_moved, log.facts.lists_dropped) == (100, 100, 0)


def test_events_are_on_disk_when_they_are_taken_and_each_is_taken_once(tmp_path: Path) -> None:
    with journal_sink(tmp_path) as log:
        first = asyncio.run(log.take([an_event("e1"), an_event("e2"), an_event("e1")]))
        assert events_in(tmp_path) == ["e1", "e2"]
        second = asyncio.run(log.take([an_event("e2"), an_event("e3")]))
    assert [(taken.accepted, taken.repeated) for taken in (first, second)] == [(2, 1), (1, 1)]
    with journal_sink(tmp_path) as again:
        assert asyncio.run(again.take([an_event("e3"), an_event("e4")])).repeated == 1
    assert events_in(tmp_path) == ["e1", "e2", "e3", "e4"]


def test_callers_that_come_together_are_all_answered(tmp_path: Path) -> None:
    async def come(log: SegmentSink) -> int:
        taken = await asyncio.gather(*(log.take([an_event(f"e{number % 50}")]) for number in range(200)))
        return sum(one.accepted for one in taken)

    with journal_sink(tmp_path) as log:
        assert asyncio.run(come(log)) == 50
    assert len(events_in(tmp_path)) == 50


def test_a_full_queue_drops_the_newest_lists_and_counts_them(tmp_path: Path) -> None:
    with journal_sink(tmp_path, WritingLimits(lists=3, write_seconds=3600)) as log:
        kept = [log.show(a_list(f"r{number}")) for number in range(5)]
    assert kept == [True, True, True, False, False]
    assert moved(tmp_path) == ["r0", "r1", "r2"]
    assert log.facts.lists_dropped == 2


def test_lists_that_are_refused_are_told_of_once_while_events_are_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="rankloop.feedback")
    lists = FeedbackLayout(tmp_path).lists
    lists.parent.mkdir()
    lists.write_text("no folder")
    with journal_sink(tmp_path, WritingLimits(write_seconds=0.01, retry_seconds=0.01)) as log:
        for number in range(20):
            log.show(a_list(f"r{number}"))
            assert asyncio.run(log.take([an_event(f"e{number}")])).accepted == 1
        lists.unlink()
        until(lambda: not log.facts.lists_queued)
    assert caplog.text.count(f"{lists} cannot be written") == 1
    assert caplog.text.count(f"{lists} can be written again") == 1
    assert len(moved(tmp_path)) == 20


def test_lists_that_the_disk_refuses_to_the_end_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lists = FeedbackLayout(tmp_path).lists
    lists.parent.mkdir()
    lists.write_text("no folder")
    with journal_sink(tmp_path, WritingLimits(close_seconds=0.01)) as log:
        log.show(a_list())
    assert "1 lists are lost" in caplog.text
    assert log.facts.lists_dropped == 1


def test_lists_that_cannot_be_moved_are_told_of_once_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="rankloop.feedback")
    table = FeedbackLayout(tmp_path).impressions
    table.write_text("no folder")
    with journal_sink(tmp_path, WritingLimits(write_seconds=0.01, lists_seconds=0.01), compaction_seconds=0.01) as log:
        log.show(a_list())
        until(lambda: log.facts.move_failures > 2)
        table.unlink()
        until(lambda: log.facts.rows_moved == 1)
    messages = [record.getMessage() for record in caplog.records]
    assert [("stay in the journal" in line, "\n" in line) for line in messages] == [(True, False), (False, False)]


def test_nothing_of_who_was_forgotten_is_written_however_long_it_waited(tmp_path: Path) -> None:
    lists, forgotten = FeedbackLayout(tmp_path).lists, set[str]()
    lists.parent.mkdir()
    lists.write_text("no folder")
    with journal_sink(tmp_path, WritingLimits(write_seconds=0.01, retry_seconds=0.01), forgotten=forgotten) as log:
        log.show(a_list("r1", user_id="ann"))
        log.show(a_list("r2", user_id="bob"))
        for _ in range(2):
            log.drained().result(PATIENCE_SECONDS)
        forgotten.add("ann")
        taken = asyncio.run(log.take([an_event("e1", user_id="ann"), an_event("e2", user_id="bob")]))
        lists.unlink()
        until(lambda: not log.facts.lists_queued)
    assert (taken.accepted, taken.fresh) == (2, {"e2"})
    assert (moved(tmp_path), events_in(tmp_path)) == (["r2"], ["e2"])
    assert (log.facts.lists_written, log.facts.events_written) == (1, 1)


def test_a_log_has_drained_once_what_it_was_writing_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SlowDisk(monkeypatch)
    with journal_sink(tmp_path, WritingLimits(write_seconds=0.01)) as log:
        log.show(a_list())
        assert disk.writing.wait(PATIENCE_SECONDS)
        drained = log.drained()
        assert not drained.done()
        disk.go_on.set()
        drained.result(PATIENCE_SECONDS)
        assert log.facts.lists_written == 1
    assert log.drained().done()


def test_too_many_events_at_once_are_refused_and_none_of_them_is_logged(tmp_path: Path) -> None:
    with journal_sink(tmp_path, WritingLimits(events=2)) as log:
        with pytest.raises(EventsRefusedError, match="send them again"):
            asyncio.run(log.take([an_event("e1"), an_event("e2"), an_event("e3")]))
        assert asyncio.run(log.take([an_event("e1")])).accepted == 1
    assert (log.facts.events_refused, events_in(tmp_path)) == (3, ["e1"])


def test_after_closing_nothing_is_taken(tmp_path: Path) -> None:
    log = journal_sink(tmp_path)
    log.close()
    assert not log.show(a_list())
    with pytest.raises(EventsRefusedError, match="stopping"):
        asyncio.run(log.take([an_event()]))
    assert os.listdir(tmp_path) in ([], ["mover.lock"])


def test_numbers_survive_to_the_bit(tmp_path: Path) -> None:
    served = a_list()
    with journal_sink(tmp_path) as log:
        log.show(served)
    table = open_table(FeedbackLayout(tmp_path).impressions)
    assert table is not None
    row = table.to_pyarrow_table().combine_chunks()
    features = row["features"].combine_chunks().values.to_numpy()
    assert features.tobytes() == served.features.tobytes()
    assert row["scores"].combine_chunks().values.to_numpy().tobytes() == served.scores.tobytes()
    assert row["shadow_scores"].to_pylist() == [None]
    assert row["event_time"].to_pylist() == [served.event_time]
    assert row["user_id"].to_pylist() == ["ü\n1"]


def test_a_line_that_a_kill_tore_is_passed_over(tmp_path: Path) -> None:
    whole = list_line(a_list("r1"))
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(whole + list_line(a_list("r2"))[:50])
    assert read_lists(whole_lines(torn))["request_id"].to_pylist() == ["r1"]
    torn.write_bytes(whole + b"\0" * 40 + b"\n" + list_line(a_list("r3")))
    assert read_lists(whole_lines(torn))["request_id"].to_pylist() == ["r1", "r3"]


def test_events_are_refused_while_the_known_ones_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log_all(tmp_path, an_event("e1"))
    [segment] = segments(FeedbackLayout(tmp_path).events)
    aside = segment.rename(tmp_path / "aside")
    segment.mkdir()
    with journal_sink(tmp_path) as log:
        for _ in range(2):
            with pytest.raises(EventsRefusedError, match="Is a directory"):
                asyncio.run(log.take([an_event("e1")]))
        segment.rmdir()
        aside.rename(segment)
        taken = asyncio.run(log.take([an_event("e1"), an_event("e2")]))
    assert (taken.accepted, taken.repeated) == (1, 1)
    assert caplog.text.count("known events cannot be read") == 1
