"""Noticing that a folder, its disk or an open file was taken away: nobody would read what is written there then.

A folder that was moved away is not made again in its place: it may be brought back, and could not take its place then.
One that was removed is made again, and so is one whose parents were made again.
"""

import errno
import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from components.home.disk.durable import make_folder_durably
from components.home.disk.presence import status_of

Identity = tuple[int, int]


def leads_to(path: Path, file: int) -> bool:
    """Say whether a path names an open file, and not another file or none."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except OSError:
        return False


class GuardedFolder:
    """A folder to write in, held open, and what the folders above it were when it was last written in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, Identity] = {}
        self._let_go: Callable[[], object] | None = None
        with suppress(OSError):  # it is not there yet
            self._hold()

    def ensure(self) -> None:
        """Make the folder, unless it was moved away or its disk is not mounted any more.

        Raises:
            OSError: it was, or it cannot be made.
        """
        present = _identities(self._folder)
        if self._known:
            self._check_mounts(present)
        if self._known and not self._is_removed():
            self._check_folder(present)
        make_folder_durably(self._folder)
        self._hold()

    def _hold(self) -> None:
        self._held = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if self._let_go is not None:
            self._let_go()
        self._let_go = weakref.finalize(self, os.close, self._held)
        self._known = _identities(self._folder)

    def _is_removed(self) -> bool:
        """Say whether the folder that was held is gone for good, wherever it was: nobody can bring it back."""
        try:
            return os.fstat(self._held).st_nlink == 0
        except OSError:  # of a server that has none such any more
            return True

    def _check_folder(self, present: dict[Path, Identity]) -> None:
        nearest = next(place for place in (self._folder, *self._folder.parents) if place in present)
        if nearest != self._folder and present[nearest] == self._known.get(nearest):
            gone = next(place for place in (self._folder, *self._folder.parents) if place.parent == nearest)
            raise OSError(
                errno.ENOENT, "was moved away; bring it back, or make the folder again to start empty", str(gone)
            )

    def _check_mounts(self, present: dict[Path, Identity]) -> None:
        for place in present:
            if place in self._known and _is_mount(place, self._known) and not _is_mount(place, present):
                raise OSError(errno.ENODEV, "its disk is not mounted any more", str(place))


def _identities(folder: Path) -> dict[Path, Identity]:
    """Return the folder and those above it, as far as they are there."""
    statuses = {place: status_of(place) for place in (folder, *folder.parents)}
    return {place: (status.st_dev, status.st_ino) for place, status in statuses.items() if status is not None}


def _is_mount(place: Path, identities: dict[Path, Identity]) -> bool:
    return place.parent in identities and identities[place][0] != identities[place.parent][0]
