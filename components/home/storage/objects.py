"""Immutable objects: created once, and read as a file of this machine.

In a folder home an object is a file, used where it lies. In a bucket it carries its SHA-256 with it, and is read
through the cache. A folder of objects is published with ``.folder.json`` last, which names its files and their digests:
a folder without it was cut off, and is not there.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import obstore
from obstore.exceptions import AlreadyExistsError

from components.contracts.errors import DamagedObjectError
from components.home.disk import durable
from components.home.disk.durable import move_durably, move_folder_durably
from components.home.storage.bucket import readable_errors, store_of
from components.home.storage.cache import object_cache, sha256_of
from components.home.storage.documents import (
    create_document,
    has_document,
    list_names,
    names_below,
    objects_below,
    read_document,
    remove_document,
    remove_documents,
)
from components.home.storage.held import check_held
from components.home.storage.locations import BucketPath, Location

DIGEST = "sha256"  # the object's metadata
LISTING = ".folder.json"
COPIES = "folders"  # in the cache's folder: copies of folders of objects
UNUSED_SECONDS = 24 * 3600


def publish_file(draft: Path, target: Location) -> str:
    """Give a finished file its place and return the SHA-256 of what is there; an object that was there is kept.

    The draft is gone afterwards: an object that was made of it is in the cache.

    Raises:
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    digest = sha256_of(draft)
    if isinstance(target, Path):
        target.parent.mkdir(parents=True, exist_ok=True)
        move_durably(draft, target)
        return digest
    if not _put(draft, target, digest):
        draft.unlink()
        return _digest_of_any(target)
    object_cache().file(digest, lambda path: _move(draft, path))
    return digest


def fetch_file(location: Location, digest: str | None = None) -> Path:
    """Return an object as a file of this machine; ``digest`` is its SHA-256 where the caller knows it.

    Raises:
        FileNotFoundError: there is none.
        ConfigurationError, StorageError: the bucket or the cache cannot be used, or the content is damaged.
    """
    if isinstance(location, Path):
        if not location.exists():
            raise FileNotFoundError(location)
        return location
    return object_cache().file(digest or _digest_of(location), lambda path: download(location, path))


def fetch_named(location: BucketPath) -> Path:
    """Return an object that another program wrote as a file of this machine; its name never stands for other content.

    Raises:
        FileNotFoundError: there is none.
    """
    return object_cache().named(location.url, lambda path: download(location, path))


def publish_folder(draft: Path, target: Location) -> None:
    """Give a finished folder its place, whole or not at all; one that is there already is kept."""
    if isinstance(target, Path):
        move_folder_durably(draft, target)
        return
    files = sorted(path for path in draft.rglob("*") if path.is_file())
    digests = {path.relative_to(draft).as_posix(): sha256_of(path) for path in files}
    for name, digest in digests.items():
        if not _put(draft / name, target / name, digest):  # of a publication that was cut off
            digests[name] = _digest_of(target / name)
    create_document(target / LISTING, json.dumps(digests, indent=1, sort_keys=True).encode())
    shutil.rmtree(draft)


def local_folder(location: Location) -> Path:
    """Return a folder as one of this machine: itself, or a copy beside the cache, each file checked against its digest.

    Copies that nobody asked for within a day are removed when another one is made.

    Raises:
        DamagedObjectError: there is none in the bucket, or a part of it is gone or damaged.
        ConfigurationError, StorageError: the bucket or the cache cannot be used.
    """
    if isinstance(location, Path):
        return location
    copies = object_cache().folder / COPIES
    copy = copies / hashlib.sha256(str(location).encode()).hexdigest()[:32] / location.name
    digests = _listing(location)
    with object_cache().readable_errors():
        if copy.exists() and not _is_whole(copy, digests):
            shutil.rmtree(copy)
        if not copy.exists():
            _remove_unused(copies)
            _copy_folder(location, digests, copy)
        os.utime(copy.parent)
    return copy


def _listing(location: BucketPath) -> dict[str, str]:
    """Return the digests of a folder's files by name."""
    listing = read_document(location / LISTING)
    if listing is None:
        raise DamagedObjectError(f"{location}: found no whole folder there; `rankloop run` makes it again")
    digests: dict[str, str] = json.loads(listing)
    return digests


def _is_whole(copy: Path, digests: dict[str, str]) -> bool:
    return all((copy / name).is_file() and sha256_of(copy / name) == digest for name, digest in digests.items())


def _copy_folder(location: BucketPath, digests: dict[str, str], copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=copy.parent) as scratch:
        draft = Path(scratch, "files")
        for name, digest in digests.items():
            try:
                _place(fetch_file(location / name, digest), draft / name)
            except FileNotFoundError as error:
                raise DamagedObjectError(f"{location / name}: it is gone; `rankloop run` makes it again") from error
        try:
            draft.replace(copy)
        except OSError:
            if not copy.exists():  # no other process made it meanwhile
                raise


def _remove_unused(copies: Path) -> None:
    for copy in copies.glob("*"):
        with suppress(FileNotFoundError):  # another process removed it
            if time.time() - copy.stat().st_mtime > UNUSED_SECONDS:
                shutil.rmtree(copy, ignore_errors=True)


def remove_folder(location: Location) -> None:
    """Remove a folder, if there is one, so that no kill leaves a part of it that is taken for the whole."""
    if isinstance(location, Path):
        durable.remove_folder(location)
        return
    remove_document(location / LISTING)
    remove_documents(each.location for each in objects_below(location))


def has_folder(location: Location) -> bool:
    """Say whether a folder of objects is there, whole."""
    return location.is_dir() if isinstance(location, Path) else has_document(location / LISTING)


def folders_in(location: Location) -> list[str]:
    """Return the names of the whole folders directly below a location, sorted; a bucket is asked once."""
    if isinstance(location, Path):
        return [name for name in list_names(location) if has_folder(location / name)]
    listings = (PurePosixPath(name) for name in names_below(location))
    return sorted(each.parent.name for each in listings if each.name == LISTING and len(each.parts) == 2)


def _put(file: Path, target: BucketPath, digest: str) -> bool:
    """Create an object; False where one is there already."""
    check_held(target)
    try:
        with readable_errors(target):
            attributes = {DIGEST: digest}
            obstore.put(store_of(target), target.key, file, attributes=attributes, mode="create", use_multipart=False)
            return True
    except AlreadyExistsError:
        return False


def _digest_of(location: BucketPath) -> str:
    with readable_errors(location):
        attributes = obstore.get(store_of(location), location.key, options={"head": True}).attributes
    digest = attributes.get(DIGEST)
    if not digest:
        raise DamagedObjectError(
            f"{location}: it carries no digest, so Rankloop did not write it; remove or restore it"
        )
    return str(digest)


def _digest_of_any(location: BucketPath) -> str:
    """Return the SHA-256 of an object; one that another program has copied here carries none, and is read."""
    try:
        return _digest_of(location)
    except DamagedObjectError:
        digest = hashlib.sha256()
        with readable_errors(location):
            for chunk in obstore.get(store_of(location), location.key).stream():
                digest.update(chunk)
        return digest.hexdigest()


def download(location: BucketPath, path: Path) -> None:
    """Write an object to a path, in parts.

    Raises:
        FileNotFoundError: there is none.
        OSError: the path cannot be written.
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    with path.open("wb") as file:
        for part in _parts(location):
            file.write(part)


def _parts(location: BucketPath) -> Iterator[bytes]:
    with readable_errors(location):
        yield from map(bytes, obstore.get(store_of(location), location.key).stream())


def _move(source: Path, target: Path) -> None:
    shutil.move(source, target)


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
