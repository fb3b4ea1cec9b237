"""Small documents: replaced whole, created once, or changed by compare-and-swap.

In a folder a document is a file that is written durably, and changes are made under a lock beside it. In a bucket it is
an object whose entity tag is compared by the server.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast
from uuid import uuid4

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError

from components.contracts.errors import StorageError
from components.home.disk.durable import write_durably
from components.home.disk.file_lock import FileLock
from components.home.disk.presence import FileStamp, content_of, file_stamp, files_below, names_in
from components.home.storage.bucket import readable_errors, store_of
from components.home.storage.held import check_held
from components.home.storage.locations import BucketPath, Location

if TYPE_CHECKING:
    from obstore import GetResult, ObjectMeta  # in its stubs alone

ATTEMPTS = 30
PAUSE_SECONDS = 0.05
WRITES = "writes"  # the object's metadata: ids of its last conditional writes, newest first
REMEMBERED_WRITES = 10
AT_ONCE = 16  # requests, when many documents of a bucket are read
DELETED_AT_ONCE = 1000  # objects in one request, as many as S3 allows
Stamp: TypeAlias = FileStamp | str  # of a file, or the entity tag of an object


def read_document(location: Location) -> bytes | None:
    """Read a document; None if there is none.

    Raises:
        OSError: a file cannot be read.
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    if isinstance(location, Path):
        return content_of(location)
    document = read_tagged(location)
    return document.content if document else None


def read_documents(locations: Iterable[Location]) -> list[bytes | None]:
    """Read several documents, those of a bucket side by side; None for each that there is not.

    Raises:
        as ``read_document``.
    """
    wanted = list(locations)
    if all(isinstance(location, Path) for location in wanted):
        return [read_document(location) for location in wanted]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="documents") as pool:
        return list(pool.map(read_document, wanted))


class TaggedDocument(NamedTuple):
    """A document of a bucket as it was read; ``modified`` is the time of its last write by the server's clock."""

    content: bytes
    tag: str
    modified: datetime
    writes: tuple[str, ...]  # ids of its last conditional writes, newest first


def read_tagged(location: BucketPath) -> TaggedDocument | None:
    """Read a document of a bucket with its entity tag; None if there is none."""
    try:
        with readable_errors(location):
            answer = obstore.get(store_of(location), location.key)
            content, meta = bytes(answer.bytes()), answer.meta
            return TaggedDocument(content, meta["e_tag"] or "", meta["last_modified"], _writes(answer))
    except FileNotFoundError:
        return None


def document_stamp(location: Location) -> Stamp | None:
    """Return what changes whenever a document does, the same on every machine; None if there is none.

    Raises:
        OSError: a file cannot be looked at.
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    if isinstance(location, Path):
        return file_stamp(location)
    stored = object_at(location)
    return stored.tag if stored else None


def write_document(location: Location, content: bytes, durable: bool = True) -> None:
    """Replace a document that has one writer, or create it; one that is not durable may be lost with a folder's power.

    Raises:
        OSError: a file cannot be written.
        HomeBusyError: the run that writes has lost its home to another.
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    if isinstance(location, Path):
        write_durably(location, content, synced=durable)
        return
    check_held(location)
    with readable_errors(location):
        obstore.put(store_of(location), location.key, content)


def replace_document(location: Location, content: bytes) -> None:
    """Replace a document of which runs take turns to be the writer; in a bucket only if it is the one read just before.

    So a write that a busy store delays cannot land over that of a later run.

    Raises:
        as ``write_document`` and ``update_document``.
    """
    if isinstance(location, Path):
        write_durably(location, content)
    else:
        update_document(location, lambda _: content)


def create_document(location: BucketPath, content: bytes) -> bool:
    """Create a document of a bucket unless there is one; say whether this call made it. Of several callers one does."""
    check_held(location)
    return put_tagged(location, content, tag=None) is not None


def put_tagged(location: BucketPath, content: bytes, tag: str | None, earlier: tuple[str, ...] = ()) -> str | None:
    """Write a document of a bucket if its entity tag is still the one given, None for no document.

    Returns the entity tag afterwards, None where the document had another one. Each write carries an id: one whose
    answer was lost is asked again by the client, is refused then, and finds itself. It also carries the ids of
    ``earlier`` writes, so that one is found after others have followed it.
    """
    write_id, mode = uuid4().hex, cast(Any, "create" if tag is None else {"e_tag": tag})
    try:
        with readable_errors(location):
            attributes = {WRITES: " ".join([write_id, *earlier][:REMEMBERED_WRITES])}
            written = obstore.put(
                store_of(location), location.key, content, attributes=attributes, mode=mode, use_multipart=False
            )
            return written["e_tag"] or ""
    except (AlreadyExistsError, PreconditionError, FileNotFoundError):
        return _tag_after(location, write_id)


def _tag_after(location: BucketPath, write_id: str) -> str | None:
    """Return the entity tag of a document if a write of that id is among its last ones; None where it is not."""
    try:
        with readable_errors(location):
            answer = obstore.get(store_of(location), location.key, options={"head": True})
            return (answer.meta["e_tag"] or "") if write_id in _writes(answer) else None
    except FileNotFoundError:
        return None


def _writes(answer: "GetResult") -> tuple[str, ...]:
    return tuple(str(answer.attributes.get(WRITES, "")).split())


def update_document(location: Location, change: Callable[[bytes | None], bytes], mode: int | None = None) -> bytes:
    """Change a document by a function of its content (None where there is none), whoever else does; return the new one.

    The function may be called again with newer content, so it must have no other effect; where it changes nothing,
    nothing is written. ``mode`` is the permissions of a file; those of an object are its bucket's.

    Raises:
        StorageError: others changed it each time.
    """
    if isinstance(location, Path):
        with _lock(location):
            before = content_of(location)
            content = change(before)
            if content != before:
                write_durably(location, content, mode)
            return content
    for attempt in range(ATTEMPTS):
        current = read_tagged(location)
        content = change(current.content if current else None)
        if current and content == current.content:
            return content
        check_held(location)
        tag = put_tagged(location, content, *((current.tag, current.writes) if current else (None,)))
        if tag is not None:
            return content
        time.sleep(PAUSE_SECONDS * attempt)
    raise StorageError(f"{location}: others changed it {ATTEMPTS} times in a row; run again when they have ended")


def _lock(document: Path) -> AbstractContextManager[int]:
    """Hold the lock of a document in a folder, on a file of its own that no write replaces."""
    return FileLock(document.with_name(f".{document.name}.lock")).held()


def remove_document(location: Location) -> None:
    """Remove a document, if there is one.

    Raises:
        OSError: a file cannot be removed.
        HomeBusyError: the run that writes has lost its home to another.
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    if isinstance(location, Path):
        location.unlink(missing_ok=True)
        return
    check_held(location)
    with suppress(FileNotFoundError), readable_errors(location):
        obstore.delete(store_of(location), location.key)


def remove_documents(locations: Iterable[Location]) -> None:
    """Remove several documents of one folder or bucket, objects a thousand a request; those that are gone are passed.

    Raises:
        as ``remove_document``.
    """
    objects = []
    for location in locations:
        if isinstance(location, Path):
            location.unlink(missing_ok=True)
        else:
            objects.append(location)
    for start in range(0, len(objects), DELETED_AT_ONCE):
        batch = objects[start : start + DELETED_AT_ONCE]
        check_held(batch[0])
        with readable_errors(batch[0]):
            obstore.delete(store_of(batch[0]), [each.key for each in batch])


def list_names(location: Location) -> list[str]:
    """Return the names directly below a location, sorted; none where there is nothing.

    Raises:
        OSError: a folder cannot be read.
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    if isinstance(location, Path):
        with suppress(NotADirectoryError):  # nothing lies below a file, or below what would lie there
            return names_in(location)
        return []
    with readable_errors(location):
        listing = obstore.list_with_delimiter(store_of(location), _prefix(location))
    keys = [*listing["common_prefixes"], *(each["path"] for each in listing["objects"])]
    return sorted(BucketPath(location.bucket, key).name for key in keys if key != location.key)  # of an emptied prefix


def names_below(location: Location) -> Iterator[str]:
    """Yield the names of everything below a location, relative to it, in order; none where there is nothing.

    Raises:
        OSError: a folder cannot be read.
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    if isinstance(location, Path):
        yield from (path.relative_to(location).as_posix() for path in files_below(location))
        return
    yield from (each.location.relative_to(location) for each in objects_below(location))


@dataclass(frozen=True)
class StoredObject:
    """An object as a listing describes it; ``modified`` is the time of its last write by the server's clock."""

    location: BucketPath
    size: int
    modified: datetime
    tag: str


def objects_below(location: BucketPath) -> Iterator[StoredObject]:
    """Yield the objects below a location, in the order of their keys; one that stands for the location itself is none.

    Raises:
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    with readable_errors(location):
        for batch in obstore.list(store_of(location), _prefix(location)):
            for each in batch:
                if each["path"] != location.key:
                    yield _stored_object(location.bucket, each)


def object_at(location: BucketPath) -> StoredObject | None:
    """Return what the store says of an object, without reading it; None if there is none.

    Raises:
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    try:
        with readable_errors(location):
            return _stored_object(location.bucket, obstore.head(store_of(location), location.key))
    except FileNotFoundError:
        return None


def has_versions(location: BucketPath) -> bool:
    """Say whether an object has a version, so that its bucket may hold what was replaced or deleted there.

    Raises:
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    try:
        with readable_errors(location):
            return obstore.head(store_of(location), location.key).get("version") is not None
    except FileNotFoundError:
        return False


def _stored_object(bucket: str, meta: "ObjectMeta") -> StoredObject:
    return StoredObject(BucketPath(bucket, meta["path"]), meta["size"], meta["last_modified"], meta["e_tag"] or "")


def sizes_below(location: Location) -> dict[str, int]:
    """Return the bytes of everything below a location by name; a file of several names once, and no links.

    Raises:
        OSError: a folder cannot be read.
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    if isinstance(location, Path):
        return {path.relative_to(location).as_posix(): size for path, size in _sizes_of_files(location)}
    return {each.location.relative_to(location): each.size for each in objects_below(location)}


def _sizes_of_files(folder: Path) -> Iterator[tuple[Path, int]]:
    seen = set()
    for path in files_below(folder):
        if path.is_file() and not path.is_symlink():
            status = path.stat()
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                yield path, status.st_size


def has_document(location: Location) -> bool:
    """Say whether there is a document, without reading it."""
    return location.exists() if isinstance(location, Path) else object_at(location) is not None


def _prefix(location: BucketPath) -> str | None:
    return f"{location.key}/" if location.key else None
