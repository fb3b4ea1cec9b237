"""Erasing a user from the feedback log, while a service may be writing it.

A line of the journal is blanked where it stands: whoever holds the segment appends on, its name and length stay, and
readers pass over blank lines. The Delta table is rewritten while no one moves lists into it.
"""

import os
from pathlib import Path

import orjson

from components.contracts.erasure import USER_ID, Erased, Person
from components.contracts.home import Home
from components.feedback.places import Places
from components.feedback.segments import LINE_END, held_alone, is_closed, segments
from components.lake.erasure import erase_rows


def erase_feedback(home: Home, person: Person, again: bool = False) -> Erased:
    """Erase what was shown to a user and what came back from them; again: whatever is found, if a first try was cut.

    Events and lists that a service logs after this are not reached: it must know of the tombstone first.
    """
    places = Places(home.feedback)
    if not home.feedback.exists():
        return Erased()
    with held_alone(places.lock, wait=True):
        journal = [blank_lines(path, person) for folder in (places.lists, places.events) for path in segments(folder)]
        return sum(journal, erase_rows(places.impressions, person, again))


def blank_lines(segment: Path, person: Person) -> Erased:
    """Blank a user's lines in a segment, and a torn last line that may be theirs once nobody appends to it."""
    said = orjson.dumps(person.user_id)
    try:
        closed, before = is_closed(segment), segment.stat()
        content = segment.read_bytes()
    except FileNotFoundError:
        return Erased()
    found = _lines_of(content, said, person, torn=closed)
    if found:
        _blank(segment, found)
        os.utime(segment, ns=(before.st_atime_ns, before.st_mtime_ns))  # retention goes by it
    return Erased(len(found), 1 if found else 0, 1)


def _lines_of(content: bytes, said: bytes, person: Person, torn: bool) -> list[tuple[int, int]]:
    """Where lines of the user begin and end, without the line's end."""
    found, start = [], 0
    while start < len(content):
        end = content.find(LINE_END, start)
        whole = end >= 0
        end = end if whole else len(content)
        line = content[start:end]
        if (whole or torn) and said in line and _is_theirs(line, person):
            found.append((start, end))
        start = end + 1
    return found


def _is_theirs(line: bytes, person: Person) -> bool:
    try:
        return bool(orjson.loads(line).get(USER_ID) == person.user_id)
    except (orjson.JSONDecodeError, AttributeError):  # cut off: whose it is cannot be told
        return True


def _blank(segment: Path, found: list[tuple[int, int]]) -> None:
    file = os.open(segment, os.O_WRONLY | os.O_CLOEXEC)
    try:
        for start, end in found:
            os.pwrite(file, b" " * (end - start), start)
        os.fsync(file)
    finally:
        os.close(file)
