"""Upkeep of the log: small files and segments are joined, and old lists and events are removed.

A run does it, never the service: joining files takes the processor for seconds, and answers would wait. A bucket's
small segments are joined before a run reads them, for every object costs a request. The large segment is there before
the small ones go. A kill between leaves lines twice; they are read once, by their ids, and are joined into one the next
time.
"""

import sys
from datetime import datetime, timedelta
from uuid import uuid4

from deltalake.exceptions import DeltaError

from components.contracts.errors import SourceError, StorageError
from components.feedback.compaction.moving_lists import move_lists
from components.feedback.segments.files import ENDING
from components.feedback.segments.layout import FeedbackLayout, has_feedback
from components.feedback.segments.objects import SegmentObject, segment_objects
from components.feedback.segments.segment import batches, list_segments, read_segments, remove_segments
from components.home.layout import Home
from components.home.storage.documents import create_document
from components.home.storage.held import check_held
from components.home.storage.locations import BucketPath, Location
from components.lake.tables import KEEP_HISTORY, note_properties, open_table, read_notes
from components.lake.upkeep import compact_table

VERSIONS_HOURS = 24  # for readers that are at it; then old versions go, and what was deleted with them
SMALL_BYTES = 2**20
JOINED_BYTES = 16 * 2**20
MAX_SMALL = 500  # segments that are not worth joining: every join makes the next run read their events again


def drop_old_feedback(home: Home, days: int, now: datetime) -> None:
    """Drop what was logged longer ago, by the machine's clock; retry later what cannot be dropped now.

    Events go by segments, each once its last event is too old.

    Raises:
        HomeBusyError: the run has lost its home to another.
    """
    layout, before = FeedbackLayout(home.feedback), now - timedelta(days=days)
    if not has_feedback(home):
        return
    try:
        move_lists(layout)
        with layout.held():
            compact_table(layout.impressions)
            _drop_lists(layout, before)
            _drop_events(layout, before)
    except (DeltaError, SourceError, StorageError, OSError) as error:
        print(f"{home.feedback}: what is older than {days} days is kept for now ({error})", file=sys.stderr)


def _drop_lists(layout: FeedbackLayout[Location], before: datetime) -> None:
    table = open_table(layout.impressions)
    if table is None:
        return
    properties = note_properties(layout.impressions, read_notes(layout.impressions))
    oldest = table.to_pyarrow_table(columns=["logged_at"], filters=[("logged_at", "<", before)])
    if len(oldest):
        moment = before.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        check_held(layout.impressions)
        table.delete(f"logged_at < '{moment}'", commit_properties=properties, post_commithook_properties=KEEP_HISTORY)
    check_held(layout.impressions)
    table.vacuum(
        retention_hours=VERSIONS_HOURS,
        dry_run=False,
        enforce_retention_duration=False,
        commit_properties=properties,
        post_commithook_properties=KEEP_HISTORY,
    )
    check_held(layout.impressions)
    table.create_checkpoint()
    table.cleanup_metadata()  # no document names a version of this table, so old commits are not needed


def _drop_events(layout: FeedbackLayout[Location], before: datetime) -> None:
    before_ns = before.timestamp() * 1e9
    old = [segment for segment in list_segments(layout.events) if segment.changed_ns < before_ns]
    remove_segments(segment for segment in old if segment.is_sealed())


def join_small_segments(home: Home) -> None:
    """Join the small segments of events of a home in a bucket; a journal's are large."""
    events: Location = FeedbackLayout(home.feedback).events
    if isinstance(events, BucketPath):
        join_segments(events)


def join_segments(folder: BucketPath, max_small: int = MAX_SMALL) -> int:
    """Join the small segments of a prefix if there are too many; return how many went. One process at a time may.

    Raises:
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    small = [segment for segment in segment_objects(folder) if segment.size < SMALL_BYTES]
    if len(small) <= max_small:
        return 0
    return sum(_join(folder, group) for group in batches(small, JOINED_BYTES))


def _join(folder: BucketPath, group: list[SegmentObject]) -> int:
    """Replace segments by one that has the time of the last of them: by it, their events become too old."""
    lines = b"".join(read_segments(group)).splitlines(keepends=True)
    name = f"{group[-1].name.partition('-')[0]}-{uuid4().hex[:8]}{ENDING}"
    create_document(folder / name, b"".join(dict.fromkeys(lines)))
    remove_segments(group)
    return len(group)
