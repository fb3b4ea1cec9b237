"""Join small segments of events in a bucket into large ones before a run reads them: there are too many objects.

The large segment is there before the small ones go. A kill between leaves lines twice; they are read once, by their
ids, and are joined into one the next time.
"""

from uuid import uuid4

from components.feedback.bucket_segments import SegmentObject, segment_objects
from components.feedback.journal.segments import ENDING
from components.feedback.layout import FeedbackLayout
from components.feedback.segments import batches, read_segments, remove_segments
from components.home.layout import Home
from components.home.storage.documents import create_document
from components.home.storage.locations import BucketPath, Location

SMALL_BYTES = 2**20
JOINED_BYTES = 16 * 2**20
MAX_SMALL = 500  # segments that are not worth joining: every join makes the next run read their events again


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
