"""Files of a source that lie in a bucket: listed there, and fetched into a local folder before they are read."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import obstore
from obstore.exceptions import PreconditionError

from components.contracts.errors import ConfigurationError, SourceError, StorageError
from components.home.storage.bucket import readable_errors, store_of
from components.home.storage.documents import StoredObject, object_at, objects_below
from components.home.storage.locations import BucketPath, parse_location
from components.ingest_events.files.source_file import SourceFile, is_hidden

WILDCARDS = re.compile(r"[*?\[]")
ANY_FOLDERS = "**"


@dataclass(frozen=True)
class BucketFile(SourceFile):
    """An object of a bucket; ``path`` is where it lies once it is fetched."""

    name: str  # of the source, for errors
    location: BucketPath
    size: int
    modified_ns: int
    etag: str

    @property
    def shown(self) -> str:
        return str(self.location)

    def state(self) -> tuple[int, int]:
        return self.size, self.modified_ns

    def digest(self) -> str:
        """Return the store's own digest: an object of another content has another."""
        return f"etag:{self.etag}"

    def fetch(self) -> None:
        """Bring the object, as it was listed, onto this machine.

        Raises:
            SourceError: it has changed since.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _errors(self.name, self.location), self.path.open("wb") as file:
                store = store_of(self.location)
                for part in obstore.get(store, self.location.key, options={"if_match": self.etag}):
                    file.write(part)
        except (PreconditionError, FileNotFoundError) as error:
            raise SourceError(f"{self.name}: {self.location} was replaced while it was read; run again") from error


@dataclass(frozen=True)
class BucketFiles:
    """The objects at an address of a bucket, and how the address names them."""

    location: BucketPath
    files: Sequence[SourceFile]
    is_folder: bool = False  # all below it, rather than one object or the matches of a pattern
    asks_for_hidden: bool = False


def list_bucket(name: str, address: str, scratch: Path) -> BucketFiles:
    """List the objects at an address: an object, all below a prefix, or those that match a pattern.

    Args:
        scratch: the local folder where they lie once they are fetched.

    Raises:
        ConfigurationError: the address names no bucket, there is none of that name, or the credentials are refused.
        StorageError: the server cannot be used.
    """
    location = _location(name, address)
    with _errors(name, location):
        one = object_at(location) if location.key else None
        if one is not None:
            return BucketFiles(location, [_file(name, location.parent, one, scratch)], asks_for_hidden=True)
        objects = list(objects_below(location))
        if objects or not WILDCARDS.search(location.key):
            return BucketFiles(location, [_file(name, location, each, scratch) for each in objects], is_folder=True)
        fixed, pattern = _split(location)
        matches = (each for each in objects_below(fixed) if _matches(_below(fixed, each).parts, pattern))
        files = [_file(name, fixed, each, scratch) for each in matches]
        return BucketFiles(location, files, asks_for_hidden=any(map(is_hidden, pattern)))


def _location(name: str, address: str) -> BucketPath:
    try:
        location = parse_location(address)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: `source.path`: {error}") from error
    assert isinstance(location, BucketPath)
    return location


@contextmanager
def _errors(name: str, location: BucketPath) -> Iterator[None]:
    """Say whose source it is that a bucket refuses."""
    try:
        with readable_errors(location):
            yield
    except (ConfigurationError, StorageError) as error:
        raise type(error)(f"{name}: {error}") from error


def _split(location: BucketPath) -> tuple[BucketPath, tuple[str, ...]]:
    """Return the part of a pattern that has no wildcards, and the parts from the first that has some."""
    parts = location.key.split("/")
    first = next(place for place, part in enumerate(parts) if WILDCARDS.search(part))
    return BucketPath(location.bucket, "/".join(parts[:first])), tuple(parts[first:])


def _matches(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Return whether the parts of a key match those of a pattern, as in a shell: ``**`` stands for any folders."""
    if not pattern:
        return not parts
    if pattern[0] == ANY_FOLDERS:
        return _matches(parts, pattern[1:]) or (bool(parts) and _matches(parts[1:], pattern))
    if not parts or (parts[0].startswith(".") and not pattern[0].startswith(".")):
        return False
    return fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _below(root: BucketPath, listed: StoredObject) -> PurePosixPath:
    return PurePosixPath(listed.location.relative_to(root))


def _file(name: str, root: BucketPath, listed: StoredObject, scratch: Path) -> BucketFile:
    key, modified_ns = str(_below(root, listed)), round(listed.modified.timestamp() * 1_000_000) * 1_000
    return BucketFile(key, scratch / name / key, name, listed.location, listed.size, modified_ns, listed.tag)
