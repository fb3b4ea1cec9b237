"""Looking for files so that failing to look is never taken for an answer.

``Path.exists`` and ``Path.glob`` answer "nothing" to some errors, and opening a file that is not there needs a
descriptor. Here "nothing" means that nothing has that name; any other failure to look is an ``OSError``.
"""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class FileStamp(NamedTuple):
    """What changes whenever a file is written or another takes its place; equal on all machines that share its disk."""

    modified_ns: int
    size: int
    inode: int


def file_stamp(path: Path) -> FileStamp | None:
    """Return a file's stamp; None if nothing has that name.

    Raises:
        OSError: the look failed, so that neither answer is known.
    """
    status = status_of(path)
    return None if status is None else FileStamp(status.st_mtime_ns, status.st_size, status.st_ino)


def status_of(path: Path) -> os.stat_result | None:
    """Return a file's status; None if nothing has that name.

    A link that leads nowhere is a file that cannot be reached now, as on a disk that is not mounted.

    Raises:
        OSError: the look failed, so that neither answer is known.
    """
    try:
        return path.stat()
    except FileNotFoundError:
        if any(place.is_symlink() and not place.exists() for place in (path, *path.parents)):
            raise OSError(errno.ENOLINK, "a link leads nowhere", str(path)) from None
        return None


def content_of(path: Path) -> bytes | None:
    """Read a file; None if nothing has that name.

    Raises:
        OSError: it cannot be read, or the look failed.
    """
    if status_of(path) is None:
        return None
    try:
        return path.read_bytes()
    except FileNotFoundError:  # it went between the two looks
        return None


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none if nothing has its name.

    Raises:
        OSError: the folder cannot be read, or the look failed.
    """
    if status_of(folder) is None:
        return []
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def files_below(root: Path) -> Iterator[Path]:
    """Yield every path below a folder that is not a folder itself, in order; links are not followed.

    Raises:
        OSError: a folder cannot be read.
    """
    for name in names_in(root):
        path = root / name
        if path.is_dir() and not path.is_symlink():
            yield from files_below(path)
        else:
            yield path
