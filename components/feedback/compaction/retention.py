"""Upkeep of the log: small files are joined, and old lists and events are removed.

A run does it, never the service: joining files takes the processor for seconds, and answers would wait.
"""

import sys
from datetime import datetime, timedelta

from deltalake.exceptions import DeltaError

from components.contracts.errors import SourceError, StorageError
from components.feedback.compaction.moving_lists import move_lists
from components.feedback.layout import FeedbackLayout
from components.feedback.reading import has_feedback
from components.feedback.segments import list_segments, remove_segments
from components.home.layout import Home
from components.home.storage.held import check_held
from components.home.storage.locations import Location
from components.lake.tables import KEEP_HISTORY, note_properties, open_table, read_notes
from components.lake.upkeep import compact_table

VERSIONS_HOURS = 24  # for readers that are at it; then old versions go, and what was deleted with them


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
