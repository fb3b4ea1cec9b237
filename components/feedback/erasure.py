"""Erasing a user from the feedback log, while a service may be writing it.

A line of the journal is blanked where it stands: the process that writes it appends on, its name and length stay, and
readers pass over blank lines. An object of a bucket is put again. In lines of others a stand-in takes the place of the
id where it is a part of theirs. The Delta table is rewritten while no compaction runs.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from components.contracts.id_parts import ID_KEYS
from components.feedback.segments.files import LINE_END, is_sealed, segments
from components.feedback.segments.layout import FeedbackLayout, has_feedback
from components.feedback.segments.objects import SegmentObject, segment_objects
from components.home.data_subject import USER_ID, DataSubject, Erased
from components.home.layout import Home
from components.home.storage.documents import read_document, write_document
from components.home.storage.locations import BucketPath, Location
from components.lake.erasure import erase_rows


def erase_feedback(home: Home, person: DataSubject, again: bool = False) -> Erased:
    """Erase what was shown to a user and what came back from them; again: a first try may have been cut off.

    Events and lists that a service logs after this are not reached: it must know of the tombstone first.
    """
    layout = FeedbackLayout(home.feedback)
    if not has_feedback(home):
        return Erased()
    with layout.held():
        erased = [each for folder in (layout.lists, layout.events) for each in erase_segments(folder, person)]
        return sum(erased, erase_rows(layout.impressions, person, again))


def erase_segments(folder: Location, person: DataSubject) -> Iterator[Erased]:
    """Erase a user from each segment of a folder, or of a prefix of a bucket."""
    if isinstance(folder, BucketPath):
        yield from (_put_without(segment, person) for segment in segment_objects(folder))
    else:
        yield from (blank_lines(path, person) for path in segments(folder))


def _put_without(segment: SegmentObject, person: DataSubject) -> Erased:
    """Put a segment of a bucket again, with a user's lines blank."""
    content = bytearray(read_document(segment.location) or b"")
    changed = _changed_lines(bytes(content), person, torn=False)
    for start, line in changed.items():
        content[start : start + len(line)] = line
    if changed:
        write_document(segment.location, bytes(content))
    return _counted(changed)


def _counted(changed: dict[int, bytes]) -> Erased:
    rows = sum(not line.strip() for line in changed.values())
    return Erased(rows, 1 if changed else 0, 1, len(changed) - rows)


def blank_lines(segment: Path, person: DataSubject) -> Erased:
    """Blank the user's lines in a segment, and an incomplete last line, which may be theirs."""
    try:
        sealed, before = is_sealed(segment), segment.stat()
        content = segment.read_bytes()
    except FileNotFoundError:
        return Erased()
    changed = _changed_lines(content, person, torn=sealed)
    if changed:
        _overwrite(segment, changed)
        os.utime(segment, ns=(before.st_atime_ns, before.st_mtime_ns))  # retention goes by it
    return _counted(changed)


def holds_part(segment: Path, person: DataSubject) -> bool:
    """Return whether a line of somebody else holds the user's id as a part."""
    return any(line.strip() for line in _changed_lines(segment.read_bytes(), person, torn=False).values())


def _changed_lines(content: bytes, person: DataSubject, torn: bool) -> dict[int, bytes]:
    """Return the place of each line that names the user, and its replacement of equal length, without line end."""
    once = orjson.dumps(person.user_id)[1:-1]
    said = (once, orjson.dumps(once.decode())[1:-1])  # the latter in a context, which is JSON within JSON
    changed, start = {}, 0
    while start < len(content):
        end = content.find(LINE_END, start)
        whole = end >= 0
        end = end if whole else len(content)
        line = content[start:end]
        if (whole or torn) and any(each in line for each in said) and (after := _without(line, person)) != line:
            changed[start] = after.ljust(end - start)
        start = end + 1
    return changed


def _without(line: bytes, person: DataSubject) -> bytes:
    """Return a line without the user: empty if it is theirs, or incomplete."""
    try:
        row: dict[str, Any] = orjson.loads(line)
        user_id = row.get(USER_ID)
    except (orjson.JSONDecodeError, AttributeError):
        return b"" if orjson.dumps(person.user_id) in line else line
    if user_id == person.user_id:
        return b""
    if not person.part.is_in_id(user_id):
        for key, after in _replaced(row, person).items():
            line = line.replace(_cell(key, row[key]), _cell(key, after))
    return line


def _replaced(row: dict[str, Any], person: DataSubject) -> dict[str, str]:
    cells = {key: row[key] for key in ID_KEYS if isinstance(row.get(key), str)}
    ids = {
        key: person.part.replaced_in_id(cell)
        for key, cell in cells.items()
        if not person.part.is_counter(cell, row.get(USER_ID))
    }
    texts = {key: person.part.replaced_in_text(row[key]) for key in ("context",) if isinstance(row.get(key), str)}
    return {key: after for key, after in (ids | texts).items() if after != row[key]}


def _cell(key: str, value: str) -> bytes:
    return orjson.dumps({key: value})[1:-1]


def _overwrite(segment: Path, lines: dict[int, bytes]) -> None:
    file = os.open(segment, os.O_WRONLY | os.O_CLOEXEC)
    try:
        for start, line in lines.items():
            os.pwrite(file, line, start)
        os.fsync(file)
    finally:
        os.close(file)
