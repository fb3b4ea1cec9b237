"""Lines of forgotten users that were written after their erasure: readers leave them out, and a run removes them.

A service that was stopped right before it wrote to a bucket is not waited for once its note has expired, and goes on
writing when it wakes. No bucket refuses that: its conditions are about the object that is written, not about
tombstones.
"""

from collections.abc import Collection, Iterable

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from components.feedback.segments.objects import SegmentObject
from components.feedback.segments.segment import Segment
from components.home.data_subject import USER_ID
from components.home.storage.documents import read_document, write_document
from components.home.tombstones import Tombstones


def forgotten_in(rows: pa.Table, forgotten: Tombstones) -> list[str]:
    """Return the forgotten users among the ``user_id`` of some rows."""
    return forgotten.filter_forgotten(pc.unique(rows[USER_ID]).to_pylist()) if forgotten else []


def without_forgotten(rows: pa.Table, forgotten: Tombstones) -> pa.Table:
    """Return rows without those of forgotten users."""
    users = forgotten_in(rows, forgotten)
    return rows.filter(pc.invert(pc.is_in(rows[USER_ID], pa.array(users, pa.string())))) if users else rows


def remove_lines(segments: Iterable[Segment], users: Collection[str]) -> None:
    """Remove the lines of some users from segments of a bucket; a journal never gets any after an erasure."""
    names = [orjson.dumps(user) for user in users]
    for segment in segments:
        if isinstance(segment, SegmentObject):
            lines = (read_document(segment.location) or b"").splitlines(keepends=True)
            kept = [line for line in lines if not any(name in line for name in names) or _user_of(line) not in users]
            if len(kept) < len(lines):
                write_document(segment.location, b"".join(kept))


def _user_of(line: bytes) -> object:
    try:
        return orjson.loads(line)[USER_ID]
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return None
