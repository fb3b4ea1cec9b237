"""Read the log while it is written: the Delta table and the segments, in a folder or in a bucket."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.contracts.feedback import SERVED, SERVED_EVENTS
from components.contracts.tables import TIME
from components.feedback.segments.files import LINE_END
from components.feedback.segments.late_lines import without_forgotten
from components.feedback.segments.layout import FeedbackLayout
from components.feedback.segments.records import read_events, read_lists
from components.feedback.segments.segment import READ_AT_ONCE, Segment, batches, list_segments, read_segments
from components.home.layout import Home
from components.home.storage.locations import Location
from components.home.tombstones import Tombstones
from components.lake.tables import open_table

ATTEMPTS = 5
Read = TypeVar("Read")


def served_lists(home: Home, columns: Sequence[str] | None = None, since: datetime | None = None) -> pa.Table:
    """Read the lists that were logged, each request once.

    The journal is read before the table: what moves meanwhile is found in both, never in neither.

    Args:
        columns: of ``SERVED``, request_id among them; all by default.
        since: only lists logged from then on, by the machine's clock.
    """
    chosen = list(columns or SERVED.names)
    waiting = waiting_lists(home)
    if since is not None:
        waiting = waiting.filter(pc.greater_equal(waiting["logged_at"], pa.scalar(since, TIME)))
    waiting = waiting.select(chosen)
    table = open_table(FeedbackLayout(home.feedback).impressions)
    if table is None:
        return waiting
    moved = table.to_pyarrow_table(columns=chosen, filters=since and [("logged_at", ">=", since)])
    known = pc.is_in(waiting["request_id"], value_set=moved["request_id"].combine_chunks())
    return pa.concat_tables([moved.cast(waiting.schema), waiting.filter(pc.invert(known))])


def waiting_lists(home: Home) -> pa.Table:
    """Return the lists of segments that are still there, each request once, as ``SERVED``; none of forgotten users."""
    segments = list_segments(FeedbackLayout(home.feedback).lists)
    rows = pa.concat_tables([SERVED.empty_table(), *(read_lists(lines) for lines in read_segments(segments))])
    return _first_of_each(without_forgotten(rows, Tombstones(home.tombstones)), "request_id")


def served_events(home: Home) -> pa.Table:
    """Return the events that were logged, each id once, as ``SERVED_EVENTS``; none of forgotten users."""
    rows = _read_all(FeedbackLayout(home.feedback).events, events_of)
    return _first_of_each(without_forgotten(rows, Tombstones(home.tombstones)), "event_id")


def _read_all(folder: Location, read: Callable[[Sequence[Segment]], Read]) -> Read:
    """Read the segments of a folder; again if some went meanwhile, for a run may have joined them."""
    segments = list_segments(folder)
    for _ in range(ATTEMPTS):
        rows, before = read(segments), {segment.name for segment in segments}
        segments = list_segments(folder)
        if before <= {segment.name for segment in segments}:
            break
    return rows


def events_of(segments: Sequence[Segment]) -> pa.Table:
    """Return the events of some segments; two processes may have taken the same event."""
    return pa.concat_tables([SERVED_EVENTS.empty_table(), *(read_events(lines) for lines in read_segments(segments))])


def _first_of_each(rows: pa.Table, column: str) -> pa.Table:
    """Return the first row of each value of a column, in their order."""
    numbered = pa.table({"value": rows[column], "row": np.arange(len(rows))})
    first = numbered.group_by("value").aggregate([("row", "min")])["row_min"]
    return rows.take(np.sort(first.to_numpy()))


@dataclass(frozen=True)
class LastEvents:
    """Events of the journal, columns of ``SERVED_EVENTS`` in the order in which they were logged; ``left`` were not
    read, for there were too many (about: some of them may be older than asked for)."""

    rows: pa.Table
    left: int


def last_events(
    home: Home, since: datetime, limit: int, columns: Sequence[str], progress: Callable[[int, int], None]
) -> LastEvents:
    """Read what users did from a moment on, by the home's clock: the last ``limit`` of these events.

    Args:
        columns: ``event_time`` and ``event_type`` among them.
        progress: called after each batch of segments with how many were read, and of how many at most.

    Raises:
        OSError: a segment cannot be read.
    """

    def read(segments: Sequence[Segment]) -> LastEvents:
        return _last_events(segments, since, limit, columns, progress)

    return _read_all(FeedbackLayout(home.feedback).events, read)


def _last_events(
    segments: Sequence[Segment],
    since: datetime,
    limit: int,
    columns: Sequence[str],
    progress: Callable[[int, int], None],
) -> LastEvents:
    tables: list[pa.Table] = []
    left = 0
    for lines in _lines_since(segments, since, progress):
        if limit > 0:
            rows = _done_since(read_events(lines, columns), since)
            left += max(0, len(rows) - limit)
            tables.append(rows.slice(max(0, len(rows) - limit)))
            limit -= len(rows)
        else:
            left += lines.count(LINE_END)
    empty = SERVED_EVENTS.empty_table().select(columns)
    return LastEvents(pa.concat_tables([empty, *reversed(tables)]), left)


def _lines_since(segments: Sequence[Segment], since: datetime, progress: Callable[[int, int], None]) -> Iterator[bytes]:
    """Yield the lines of each segment that may hold events taken since a moment, the newest segment first.

    Where the end of a segment cannot be read alone, a batch that ended before the moment tells that older ones did.
    """
    read, wanted = 0, [segment for segment in segments if not _ended_before(segment.last_line(), since)]
    for batch in batches(reversed(wanted), max_segments=READ_AT_ONCE):
        lines_of_batch = [lines for lines in read_segments(batch) if not _ended_before(_last_line(lines), since)]
        if not lines_of_batch:
            return
        yield from lines_of_batch
        read += len(batch)
        progress(read, len(wanted))


def _done_since(rows: pa.Table, since: datetime) -> pa.Table:
    """Return what users did, of some events: what they were only shown is left out."""
    is_late = pc.greater_equal(rows["event_time"], pa.scalar(since, TIME))
    return rows.filter(pc.and_(is_late, pc.not_equal(rows["event_type"], "shown")))


def _last_line(lines: bytes) -> bytes:
    return lines.removesuffix(LINE_END).rpartition(LINE_END)[2]


def _ended_before(last_line: bytes, moment: datetime) -> bool:
    """Return whether all events of a segment were taken before a moment: no event happens after it was taken."""
    last = read_events(last_line + LINE_END, ["event_time", "taken_at"])
    if not len(last):  # empty, or erased: reading it will tell
        return False
    return bool(pc.less(pc.coalesce(last["taken_at"], last["event_time"]), pa.scalar(moment, TIME))[0].as_py())


def end_of_events(home: Home) -> tuple[str, int, int] | None:
    """Return a value that changes when an event is logged, and not when old ones are removed; None without events.

    The newest segment by name and its size, and the last time of change of any: by these alone, a machine's clock that
    was set back would hide what came after.
    """
    segments = list_segments(FeedbackLayout(home.feedback).events)
    filled = [(segment.name, size, segment.stored_ns) for segment in segments if (size := segment.size)]
    return (*filled[-1][:2], max(changed for _, _, changed in filled)) if filled else None


def newest_list(home: Home, until: datetime) -> datetime | None:
    """Return when the last list until a moment was logged, by the machine's clock; None if there is none."""
    logged = waiting_lists(home)["logged_at"]
    table = open_table(FeedbackLayout(home.feedback).impressions)
    if table is not None:
        moved = table.to_pyarrow_table(columns=["logged_at"], filters=[("logged_at", "<=", until)])["logged_at"]
        logged = pa.chunked_array([*logged.chunks, *moved.cast(TIME).chunks], TIME)
    newest: datetime | None = pc.max(logged.filter(pc.less_equal(logged, pa.scalar(until, TIME)))).as_py()
    return newest
