"""Sinks that keep feedback as segments of lines: on this machine's disk, or in the home's bucket."""

import asyncio
from collections.abc import Callable, Container, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from components.feedback.compaction.compactor import SegmentCompactor
from components.feedback.group_writer import EventLine, GroupWriter, ListLine, WritingLimits
from components.feedback.recent_ids import RecentIds
from components.feedback.segments.files import SegmentWriter
from components.feedback.segments.layout import FeedbackLayout
from components.feedback.segments.objects import ObjectSegmentWriter
from components.feedback.segments.records import ServedEvent, ServedList, event_line, list_line, read_events
from components.feedback.segments.segment import READ_AT_ONCE, batches, list_segments, read_segments
from components.feedback.sink import FeedbackSink, IngestResult, SinkFacts
from components.home.storage.locations import BucketPath, Location

COMPACTION_SECONDS = 15.0  # between two looks for sealed segments
BUCKET_LIMITS = WritingLimits(
    group_seconds=0.04,
    piece_bytes=2**20,  # events wait while lists are put
    write_seconds=2.0,
    remembered=50_000,
)


def open_sink(
    feedback: Location,
    forgotten: Container[str] = (),
    bucket_limits: WritingLimits = BUCKET_LIMITS,
    check_current: Callable[[], object] = lambda: None,
) -> FeedbackSink:
    """Open the sink of a home's feedback: a journal in a folder, sealed segments in a bucket.

    Args:
        forgotten: users of whom nothing is written; asked again whenever something is.
        bucket_limits: how long and how much is gathered for a segment of a bucket.
        check_current: makes sure, before a bucket is written, that ``forgotten`` is all who were forgotten by then.
    """
    if isinstance(feedback, BucketPath):
        return bucket_sink(feedback, bucket_limits, forgotten, check_current)
    return journal_sink(feedback, forgotten=forgotten)


def journal_sink(
    folder: Path,
    limits: WritingLimits | None = None,
    compaction_seconds: float = COMPACTION_SECONDS,
    forgotten: Container[str] = (),
) -> "SegmentSink":
    """Open the journal in a folder, which is made when something is logged; several processes may open one."""
    layout = FeedbackLayout(folder)
    return SegmentSink(
        journal_writer(layout, limits or WritingLimits(), forgotten), SegmentCompactor(layout, compaction_seconds)
    )


def journal_writer(layout: FeedbackLayout[Path], limits: WritingLimits, forgotten: Container[str] = ()) -> GroupWriter:
    """Begin to write segments of a folder, each up to a number of bytes or seconds."""
    return GroupWriter(
        SegmentWriter(layout.lists, limits.segment_bytes, limits.lists_seconds),
        SegmentWriter(layout.events, limits.segment_bytes, limits.events_seconds),
        limits,
        _known_ids(layout.events, limits),
        forgotten,
    )


def bucket_sink(
    feedback: BucketPath,
    limits: WritingLimits = BUCKET_LIMITS,
    forgotten: Container[str] = (),
    check_current: Callable[[], object] = lambda: None,
) -> "SegmentSink":
    """Open a sink that seals groups of lines into objects of the bucket; runs move the lists to the table."""
    layout = FeedbackLayout(feedback)
    writer = GroupWriter(
        ObjectSegmentWriter(layout.lists),
        ObjectSegmentWriter(layout.events),
        limits,
        _known_ids(layout.events, limits),
        forgotten,
        check_current,
    )
    return SegmentSink(writer)


def _known_ids(events: Location, limits: WritingLimits) -> RecentIds:
    return RecentIds(limits.remembered, partial(_recent_ids, events))


def _recent_ids(events: Location, limit: int) -> list[str]:
    """Return the ids of the newest events that are kept, oldest first."""
    known: list[str] = []
    for batch in batches(reversed(list_segments(events)), max_segments=READ_AT_ONCE):
        ids = [read_events(lines, ["event_id"])["event_id"].drop_null().to_pylist() for lines in read_segments(batch)]
        known = [*(each for some in reversed(ids) for each in some), *known]
        if len(known) >= limit:
            break
    return known[-limit:]


@dataclass(frozen=True)
class SegmentSink:
    """A sink over a writing thread, with a compactor where lists are moved to the table beside the answers."""

    writer: GroupWriter
    compactor: SegmentCompactor | None = None

    def show(self, served: ServedList) -> bool:
        """Keep a list without waiting; False if it was dropped, for too many wait to be written."""
        return self.writer.show(ListLine(served.user_id, list_line(served)))

    async def take(self, events: Sequence[ServedEvent]) -> IngestResult:
        """Keep events, all or none, and return once they are durable; an event with a known id is not kept again.

        Raises:
            EventsRefusedError: they could not be kept; the caller sends them again.
        """
        done = self.writer.submit([EventLine(each.event_id, each.user_id, event_line(each)) for each in events])
        return await asyncio.wrap_future(done)

    def drained(self) -> "Future[None]":
        """Return a future that ends once all that was being written when it was asked for is kept, or refused."""
        return self.writer.drained()

    @property
    def facts(self) -> SinkFacts:
        """Return the sink's figures."""
        return SinkFacts(
            lists_queued=self.writer.queued,
            **vars(self.writer.counters),
            sync_age_seconds=self.writer.sync_age_seconds,
            rows_moved=self.compactor.rows_moved if self.compactor else 0,
            move_failures=self.compactor.failures if self.compactor else 0,
        )

    def close(self) -> None:
        """Keep everything that is queued, move the lists of a journal, and stop; nothing is taken from now on."""
        self.writer.close()
        if self.compactor is not None:
            self.compactor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
