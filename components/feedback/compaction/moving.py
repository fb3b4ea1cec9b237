"""Closed segments of lists become rows of the Delta table, each once; then the segment goes.

The names of the segments stand in the notes of the commit that holds their rows: a segment that is still there after a
kill between commit and removal is known to be moved.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from components.contracts.feedback import SERVED
from components.feedback.journal.segments import is_closed, segments, whole_lines
from components.feedback.places import Places
from components.feedback.records import read_lists
from components.home.file_lock import FileLock
from components.lake.tables import append_rows, create_table, read_notes

MOVED = "moved"
MOST_BYTES = 32 * 2**20  # of segments in one commit


def move_lists(places: Places) -> int:
    """Move all closed segments of lists; return how many rows were moved. Nothing is done while another one moves.

    Raises:
        SourceError: the table cannot be written; the segments stay.
        OSError: a segment cannot be read.
    """
    if not _closed(places):
        return 0
    with FileLock(places.lock).tried() as lock:
        closed = _closed(places) if lock is not None else []
        if not closed:
            return 0
        create_table(places.impressions, SERVED)
        closed = _without_moved(places, closed)
        return sum(_move(places, group) for group in _groups(closed))


def _closed(places: Places) -> list[Path]:
    return [segment for segment in segments(places.lists) if is_closed(segment)]


def _without_moved(places: Places, closed: list[Path]) -> list[Path]:
    moved = set(read_notes(places.impressions).get(MOVED, ()))
    for segment in closed:
        if segment.name in moved:
            segment.unlink(missing_ok=True)
    return [segment for segment in closed if segment.name not in moved]


def _groups(closed: list[Path]) -> Iterator[list[Path]]:
    group: list[Path] = []
    size = 0
    for segment in closed:
        if group and size + segment.stat().st_size > MOST_BYTES:
            yield group
            group, size = [], 0
        group.append(segment)
        size += segment.stat().st_size
    if group:
        yield group


def _move(places: Places, group: list[Path]) -> int:
    rows = pa.concat_tables([read_lists(whole_lines(segment)) for segment in group])
    if len(rows):
        append_rows(places.impressions, rows, {MOVED: [segment.name for segment in group]})
    for segment in group:
        segment.unlink(missing_ok=True)
    return len(rows)
