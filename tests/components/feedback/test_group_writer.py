"""The journal's thread: what waits is bounded in bytes and written in pieces, and nothing that goes wrong ends it."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from components.feedback.group_writer import EventLine, GroupWriter, ListLine, WritingLimits
from components.feedback.segment_sink import journal_writer
from components.feedback.segments.files import SegmentWriter, segments, whole_lines
from components.feedback.segments.layout import FeedbackLayout
from components.feedback.sink import EventsRefusedError, IngestResult
from tests.waiting import until

QUICK = WritingLimits(write_seconds=0.01, retry_seconds=0.01, close_seconds=0.01)
LINE = b"x" * 99 + b"\n"
LIST = ListLine("ann", LINE)
PATIENCE_SECONDS = 120


@contextmanager
def writing(folder: Path, limits: WritingLimits = QUICK) -> Iterator[GroupWriter]:
    """Write to a folder, and close the journal at the end."""
    writer = journal_writer(FeedbackLayout(folder), limits)
    try:
        yield writer
    finally:
        writer.close()


def lists_in(folder: Path) -> bytes:
    """All lines of lists, in the order in which they were written."""
    return b"".join(map(whole_lines, segments(FeedbackLayout(folder).lists)))


def outcome(done: "Future[IngestResult]") -> IngestResult:
    return done.result(PATIENCE_SECONDS)


class Disk:
    """Where segments are written: it counts bytes, and fails as a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self.trouble: Exception | None = None
        real = SegmentWriter.write

        def write(writer: SegmentWriter, lines: bytes) -> None:
            if self.trouble is not None:
                raise self.trouble
            real(writer, lines)
            self.sizes.append(len(lines))

        monkeypatch.setattr(SegmentWriter, "write", write)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_large_lists_that_wait_are_bounded_by_their_bytes(tmp_path: Path, disk: Disk) -> None:
    disk.trouble = OSError("no space")
    with writing(tmp_path, WritingLimits(lists_bytes=1000, write_seconds=0.01, retry_seconds=0.01)) as journal:
        kept = [journal.show(LIST) for _ in range(15)]
        assert kept == [True] * 10 + [False] * 5
        assert (journal.queued, journal.counters.lists_dropped) == (10, 5)
        disk.trouble = None
        until(lambda: not journal.queued)
        assert journal.show(LIST), "there is room again"
    assert lists_in(tmp_path) == LINE * 11


def test_what_has_waited_is_written_in_pieces_and_in_order(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [f"{number:099}\n".encode() for number in range(20)]
    disk.trouble = OSError("no space")
    with writing(tmp_path, replace(QUICK, piece_bytes=300)) as journal:
        assert all(journal.show(ListLine("ann", line)) for line in lines)
        until(lambda: "cannot be written" in caplog.text)
        disk.trouble = None
        until(lambda: not journal.queued)
        assert journal.counters.lists_written == len(lines)
    assert max(disk.sizes) == 300
    assert lists_in(tmp_path) == b"".join(lines)


def test_all_pieces_are_written_at_the_end(tmp_path: Path, disk: Disk) -> None:
    with writing(tmp_path, WritingLimits(write_seconds=3600, close_seconds=0, piece_bytes=100)) as journal:
        assert all(journal.show(LIST) for _ in range(20))
    assert disk.sizes == [100] * 20
    assert journal.counters.lists_dropped == 0


@pytest.mark.parametrize("trouble", [OSError("no space"), MemoryError(), RuntimeError("unforeseen")])
def test_nothing_that_goes_wrong_ends_the_thread(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture, trouble: Exception
) -> None:
    disk.trouble = trouble
    with writing(tmp_path) as journal:
        assert journal.show(LIST)
        for _ in range(3):
            with pytest.raises(EventsRefusedError, match=r"1 events were not taken: .*; send them again later"):
                outcome(journal.submit([EventLine("e1", "ann", LINE)]))
        until(lambda: "lists" in caplog.text)
        disk.trouble = None
        assert outcome(journal.submit([EventLine("e1", "ann", LINE)])).accepted == 1
        until(lambda: not journal.queued)
        assert journal.counters.events_refused == 3
    messages = [record.getMessage() for record in caplog.records if "tried again and again" in record.getMessage()]
    assert len(messages) == 2, "once for lists, once for events"
    assert lists_in(tmp_path) == LINE


def test_segments_that_cannot_be_sealed_hold_nothing_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: SegmentWriter) -> None:
        raise MemoryError

    monkeypatch.setattr(SegmentWriter, "tend", fail)
    with writing(tmp_path) as journal:
        for number in range(3):
            assert outcome(journal.submit([EventLine(f"e{number}", "ann", LINE)])).accepted == 1
    assert caplog.text.count("sealing segments fails") == 1
