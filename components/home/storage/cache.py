"""Objects of a bucket on this machine's disk: each fetched once, checked against its digest, the oldest let go.

The folder is ``RANKLOOP_CACHE``, else ``rankloop`` below the user's cache folder, and holds at most
``RANKLOOP_CACHE_BYTES`` (20 GB). Files are named by their SHA-256, so that homes and processes share them.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from uuid import uuid4

from components.contracts.errors import ConfigurationError, DamagedObjectError, StorageError, is_out_of_space
from components.home.disk.durable import write_durably

FOLDER_VARIABLE = "RANKLOOP_CACHE"
BYTES_VARIABLE = "RANKLOOP_CACHE_BYTES"
DEFAULT_BYTES = 20_000_000_000
IN_USE_SECONDS = 3600  # a file that somebody asked for lately may be open, or about to be: it is not let go


def sha256_of(file: Path) -> str:
    """Digest a file's content."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@dataclass
class ObjectCache:
    """Files named by their SHA-256 below a folder."""

    folder: Path
    max_bytes: int
    _verified: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # by digest: the file that was checked

    def file(self, digest: str, download: Callable[[Path], None]) -> Path:
        """Return the local file with a digest; ``download`` writes it to the path given where it is not here yet.

        Raises:
            DamagedObjectError: what was downloaded has another digest.
            StorageError: the folder is full or cannot be written.
        """
        path = self.folder / digest[:2] / digest
        if not self._holds(path, digest):
            self._fetch(path, digest, download)
            self._make_room()
        return path

    def named(self, name: str, download: Callable[[Path], None]) -> Path:
        """Return the local file of an object that is known by a name alone, which never stands for other content.

        The digest of its first download is noted beside the files, and checked from then on.
        """
        note = self.folder / "names" / hashlib.sha256(name.encode()).hexdigest()
        try:
            digest = note.read_text()
        except OSError:
            digest = self._first_digest(note, download)
        return self.file(digest, download)

    def _first_digest(self, note: Path, download: Callable[[Path], None]) -> str:
        draft = note.with_name(f".{uuid4().hex}")
        with self._writing(draft):
            download(draft)
            digest = sha256_of(draft)
            path = self.folder / digest[:2] / digest
            path.parent.mkdir(exist_ok=True)
            draft.replace(path)
            write_durably(note, digest.encode())
        self._make_room()
        return digest

    def _holds(self, path: Path, digest: str) -> bool:
        """Say whether the file is here and whole; each process reads it once for that."""
        try:
            status = path.stat()
        except OSError:
            return False
        stamp = (status.st_size, status.st_ino, status.st_mtime_ns)
        if self._verified.get(digest) != stamp:
            if sha256_of(path) != digest:
                return False
            self._verified[digest] = stamp
        with suppress(OSError):  # on a read-only file system the time of its last use is not kept
            os.utime(path, ns=(time.time_ns(), status.st_mtime_ns))
        return True

    def _fetch(self, path: Path, digest: str, download: Callable[[Path], None]) -> None:
        draft = path.with_name(f".{uuid4().hex}")
        with self._writing(draft):
            download(draft)
            actual = sha256_of(draft)
            if actual != digest:
                raise DamagedObjectError(
                    f"object {digest[:12]}: found content with digest {actual[:12]}; it was damaged on its way or in"
                    " the bucket: run again, and if it stays so, restore the object"
                )
            draft.replace(path)

    @contextmanager
    def _writing(self, draft: Path) -> Iterator[None]:
        """Make the draft's folder, say what kept it from being written, and leave no draft."""
        try:
            with self.readable_errors():
                draft.parent.mkdir(parents=True, exist_ok=True)
                yield
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    @contextmanager
    def readable_errors(self) -> Iterator[None]:
        """Say in one line what kept something from being written below the folder.

        Raises:
            StorageError: the folder is full or cannot be written.
        """
        try:
            yield
        except OSError as error:
            if error.errno is None:  # what the bucket's client raises for an object that is not there
                raise
            reason = "is full" if is_out_of_space(error) else f"cannot be written ({error.strerror})"
            raise StorageError(
                f"cache {self.folder}: {reason}; free space there, or set {FOLDER_VARIABLE} to another folder"
            ) from error

    def _make_room(self) -> None:
        """Remove the files that were not used for the longest time, until the rest keeps the bound."""
        now = time.time()
        files = [(status.st_atime, status.st_size, path) for path, status in _files(self.folder)]
        excess = sum(size for _, size, _ in files) - self.max_bytes
        for used, size, path in sorted(files):
            if excess <= 0 or now - used < IN_USE_SECONDS:
                return
            path.unlink(missing_ok=True)
            excess -= size


def _files(folder: Path) -> list[tuple[Path, os.stat_result]]:
    files = []
    for path in folder.glob("??/*"):
        with suppress(FileNotFoundError):  # another process removed it
            files.append((path, path.stat()))
    return files


def object_cache() -> ObjectCache:
    """Return this process's cache, as the variables say.

    Raises:
        ConfigurationError: ``RANKLOOP_CACHE_BYTES`` is no number of bytes.
    """
    return _cache(os.environ.get(FOLDER_VARIABLE) or default_folder(), _max_bytes())


def default_folder() -> str:
    """Return the folder that the cache has where no variable names one."""
    return str(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "rankloop")


@cache
def _cache(folder: str, max_bytes: int) -> ObjectCache:
    return ObjectCache(Path(folder), max_bytes)


def _max_bytes() -> int:
    written = os.environ.get(BYTES_VARIABLE, "").strip() or str(DEFAULT_BYTES)
    if not written.isascii() or not written.isdigit():
        raise ConfigurationError(
            f"{BYTES_VARIABLE}: found {written!r}, expected a number of bytes such as {DEFAULT_BYTES}"
        )
    return int(written)
