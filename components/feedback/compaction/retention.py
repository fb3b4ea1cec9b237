"""Upkeep of the log: small files are joined, lists and events go when they are too old.

A run does it, never the service: joining files takes the processor for seconds, and answers would wait.
"""

import sys
from datetime import datetime, timedelta

from deltalake.exceptions import DeltaError

from components.contracts.errors import SourceError
from components.feedback.compaction.moving import move_lists
from components.feedback.journal.segments import is_closed, segments
from components.feedback.places import Places
from components.home.file_lock import FileLock
from components.home.layout import Home
from components.lake.tables import KEEP_HISTORY, note_properties, open_table, read_notes
from components.lake.upkeep import compact_table

VERSIONS_HOURS = 24  # for readers that are at it; then old versions go, and what was deleted with them


def drop_old_feedback(home: Home, days: int, now: datetime) -> None:
    """Drop what was logged longer ago, by the machine's clock; what cannot be dropped this time is another time.

    Events go by segments, each once its last event is too old.
    """
    places, before = Places(home.feedback), now - timedelta(days=days)
    if not home.feedback.exists():
        return
    try:
        move_lists(places)
        with FileLock(places.lock).held():
            compact_table(places.impressions)
            _drop_lists(places, before)
            _drop_events(places, before)
    except (DeltaError, SourceError, OSError) as error:
        print(f"{home.feedback}: what is older than {days} days is kept for now ({error})", file=sys.stderr)


def _drop_lists(places: Places, before: datetime) -> None:
    table = open_table(places.impressions)
    if table is None:
        return
    properties = note_properties(places.impressions, read_notes(places.impressions))
    oldest = table.to_pyarrow_table(columns=["logged_at"], filters=[("logged_at", "<", before)])
    if len(oldest):
        moment = before.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        table.delete(f"logged_at < '{moment}'", commit_properties=properties, post_commithook_properties=KEEP_HISTORY)
    table.vacuum(
        retention_hours=VERSIONS_HOURS,
        dry_run=False,
        enforce_retention_duration=False,
        commit_properties=properties,
        post_commithook_properties=KEEP_HISTORY,
    )
    table.create_checkpoint()
    table.cleanup_metadata()  # nobody names a version of this table: commits of a month ago need not be kept


def _drop_events(places: Places, before: datetime) -> None:
    for segment in segments(places.events):
        if segment.stat().st_mtime < before.timestamp() and is_closed(segment):
            segment.unlink(missing_ok=True)
