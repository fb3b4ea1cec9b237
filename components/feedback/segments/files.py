"""Segments: files of complete lines to which one process appends for a time, and which others read.

A segment that its process holds carries a lock, which the system takes away when the process dies: what is not locked
is sealed for ever. A process opens segments of its own only, so that nothing follows a line which a kill tore.

A segment that lost its name while it was open (its folder was moved, removed or mounted over) is left at once: lines
count as written only if their segment's name still leads to them afterwards.
"""

import errno
import logging
import os
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from components.home.disk.file_lock import FileLock, create_locked
from components.home.disk.presence import names_in, status_of
from components.home.guarded_folder import GuardedFolder, leads_to

ENDING = ".jsonl"
LINE_END = b"\n"
LAST_BYTES = 64 * 1024  # in which a segment's last line lies: an event has 5 KB at most
log = logging.getLogger("rankloop.feedback")


class SegmentWriter:
    """Appends lines to segments of a folder: a new one after a number of bytes or seconds, or after a failed write."""

    def __init__(self, folder: Path, max_bytes: int, max_seconds: float) -> None:
        self.folder, self._max_bytes, self._max_seconds = folder, max_bytes, max_seconds
        self._folder_guard = GuardedFolder(folder)
        self._file: int | None = None
        self._path = folder
        self._opened_at = 0.0
        self._written = self._synced = 0

    def write(self, lines: bytes) -> None:
        """Append whole lines and wait until they are on disk, by name; after an error none of them is promised.

        Raises:
            OSError: the disk refuses, or was taken away.
        """
        self.leave_lost()
        try:
            file = self._open_file()
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
            if not leads_to(self._path, file):
                raise OSError(errno.ENOENT, "was taken away while it was written", str(self._path))
        except BaseException:
            self._abandon()
            raise
        self._written += len(lines)
        self._synced = self._written

    def tend(self) -> None:
        """Seal the open segment if it is lost, large or old."""
        self.leave_lost()
        is_old = time.monotonic() - self._opened_at >= self._max_seconds
        if self._file is not None and (is_old or self._written >= self._max_bytes):
            self.close()

    def leave_lost(self) -> None:
        """Seal the open segment if its name leads to another file or none: its lines were moved with it."""
        if self._file is not None and not leads_to(self._path, self._file):
            log.warning("%s was taken away; what comes goes to a new segment", self._path)
            self.close()

    def close(self) -> None:
        """Seal the open segment, if there is one."""
        if self._file is not None:
            with suppress(OSError):  # what was promised is synced
                os.close(self._file)
        self._file, self._written, self._synced = None, 0, 0

    def _open_file(self) -> int:
        if self._file is None:
            self._folder_guard.ensure()
            self._file, self._path = _new_segment(self.folder)
            self._opened_at = time.monotonic()
        return self._file

    def _abandon(self) -> None:
        """Truncate lines that were not acknowledged, and never append to this segment again."""
        if self._file is not None:
            with suppress(OSError):
                os.ftruncate(self._file, self._synced)
        self.close()


def _new_segment(folder: Path) -> tuple[int, Path]:
    """Create a segment that is locked before it has its name; names sort by opening, not by the clock."""
    newest = max((_number(segment) for segment in segments(folder)[-1:]), default=0)
    path = folder / f"{max(time.time_ns(), newest + 1):020}-{uuid.uuid4().hex[:8]}{ENDING}"
    return create_locked(path, mode=0o640), path


def segments(folder: Path) -> list[Path]:
    """Return the segments of a folder, oldest first; none if there is no such folder.

    Raises:
        OSError: it cannot be read.
    """
    return [folder / name for name in names_in(folder) if name[0].isdigit() and name.endswith(ENDING)]


def _number(segment: Path) -> int:
    begins = segment.name.partition("-")[0]
    return int(begins) if begins.isdecimal() else 0


def is_sealed(segment: Path) -> bool:
    """Return whether no process appends to a segment any more; a missing one is sealed."""
    try:
        return not FileLock(segment).is_held()
    except FileNotFoundError:
        return True


def whole_lines(segment: Path) -> bytes:
    """Return the lines of a segment, without an incomplete last line; none if the segment is missing."""
    try:
        content = segment.read_bytes()
    except FileNotFoundError:
        return b""
    return content[: content.rfind(LINE_END) + 1]


def last_line(segment: Path, limit: int = LAST_BYTES) -> bytes:
    """Return the last whole line of a segment without its end; nothing if longer than ``limit`` bytes, or gone."""
    try:
        with segment.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - limit))
            content = file.read()
    except FileNotFoundError:
        return b""
    _, end, last = content[: content.rfind(LINE_END) + 1].removesuffix(LINE_END).rpartition(LINE_END)
    return last if end or len(content) < limit else b""


@dataclass(frozen=True)
class SegmentFile:
    """A segment of a folder."""

    location: Path

    @property
    def name(self) -> str:
        """Return its name."""
        return self.location.name

    @property
    def size(self) -> int:
        """Return its bytes; none if it is gone."""
        status = status_of(self.location)
        return status.st_size if status else 0

    @property
    def changed_ns(self) -> int:
        """Return when lines were last added to it, in nanoseconds since 1970; an erasure keeps the time."""
        status = status_of(self.location)
        return status.st_mtime_ns if status else 0

    @property
    def stored_ns(self) -> int:
        """Return the same."""
        return self.changed_ns

    def is_sealed(self) -> bool:
        """Return whether no process appends to it any more; a missing one is sealed."""
        return is_sealed(self.location)

    def lines(self) -> bytes:
        """Return its whole lines; none if it is gone."""
        return whole_lines(self.location)

    def last_line(self) -> bytes:
        """Return its last whole line, without its end."""
        return last_line(self.location)
