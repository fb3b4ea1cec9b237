"""Sealed segments of lists become rows of the Delta table, each once; then the segment is removed.

Rows of forgotten users are left out: a service that was stopped may have written them after the erasure.

The names of the segments stand in the notes of the commit that holds their rows: a segment that is still there after a
kill between commit and removal is known to be moved.
"""

import pyarrow as pa

from components.contracts.feedback import SERVED
from components.feedback.segments.late_lines import without_forgotten
from components.feedback.segments.layout import FeedbackLayout
from components.feedback.segments.records import read_lists
from components.feedback.segments.segment import Segment, batches, list_segments, read_segments, remove_segments
from components.home.storage.locations import Location
from components.home.tombstones import Tombstones
from components.lake.tables import append_rows, create_table, read_notes

MOVED = "moved"
COMMIT_BYTES = 32 * 2**20  # of segments in one commit


def move_lists(layout: FeedbackLayout[Location]) -> int:
    """Move all sealed segments of lists; return how many rows were moved. Nothing is done while another process moves.

    Raises:
        ConfigurationError: the tombstones cannot be read.
        SourceError: the table cannot be written; the segments stay.
        OSError, StorageError: a segment cannot be read.
    """
    if not _sealed(layout):
        return 0
    with layout.tried() as is_held:
        sealed = _sealed(layout) if is_held else []
        if not sealed:
            return 0
        create_table(layout.impressions, SERVED)
        return sum(_move(layout, group) for group in batches(_without_moved(layout, sealed), COMMIT_BYTES))


def _sealed(layout: FeedbackLayout[Location]) -> list[Segment]:
    return [segment for segment in list_segments(layout.lists) if segment.is_sealed()]


def _without_moved(layout: FeedbackLayout[Location], sealed: list[Segment]) -> list[Segment]:
    moved = set(read_notes(layout.impressions).get(MOVED, ()))
    remove_segments(segment for segment in sealed if segment.name in moved)
    return [segment for segment in sealed if segment.name not in moved]


def _move(layout: FeedbackLayout[Location], group: list[Segment]) -> int:
    every = pa.concat_tables([read_lists(lines) for lines in read_segments(group)])
    rows = without_forgotten(every, Tombstones(layout.tombstones))
    if len(rows):
        append_rows(layout.impressions, rows, {MOVED: [segment.name for segment in group]})
    remove_segments(group)
    return len(rows)
