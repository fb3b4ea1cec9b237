"""Segments in a bucket: each is an object of complete lines, sealed when it is created.

Their names and lines are those of the journal's segments.
"""

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import obstore

from components.contracts.errors import StorageError
from components.feedback.journal.segments import ENDING
from components.home.storage.bucket import readable_errors, store_of
from components.home.storage.documents import create_document, read_document, remove_document
from components.home.storage.locations import BucketPath

if TYPE_CHECKING:
    from obstore import ObjectMeta  # in its stubs alone


class ObjectSegmentWriter:
    """Puts lines into a bucket, as a segment of its own each time."""

    def __init__(self, folder: BucketPath) -> None:
        self.folder = folder

    def write(self, lines: bytes) -> None:
        """Put whole lines, and return once they are there.

        Raises:
            ConfigurationError, StorageError: the bucket refuses; the lines may be there all the same, so that they can
                come twice, with the same ids.
        """
        segment = self.folder / f"{time.time_ns():020}-{uuid.uuid4().hex[:8]}{ENDING}"
        if not create_document(segment, lines) and read_document(segment) != lines:
            raise StorageError(f"{segment}: another segment has this name already; expected none, and it is kept")

    def tend(self) -> None:
        """Do nothing: a segment is sealed at once."""

    def close(self) -> None:
        """Do nothing: a segment is sealed at once."""


@dataclass(frozen=True)
class SegmentObject:
    """A segment of a bucket, as the listing describes it."""

    location: BucketPath
    size: int
    stored_ns: int  # by the server's clock

    @property
    def name(self) -> str:
        """Return its name; names sort by when segments were begun, by the clocks of their writers."""
        return self.location.name

    @property
    def changed_ns(self) -> int:
        """Return when it was written, in nanoseconds since 1970, by its writer's clock."""
        return int(self.name.partition("-")[0])

    def is_sealed(self) -> bool:
        """Say that nothing is written to it any more."""
        return True

    def lines(self) -> bytes:
        """Return its lines; none if it is gone."""
        return read_document(self.location) or b""

    def last_line(self) -> bytes:
        """Return nothing: a request for its last line would take as long as one for all of them."""
        return b""

    def remove(self) -> None:
        """Remove it."""
        remove_document(self.location)


def segment_objects(folder: BucketPath) -> list[SegmentObject]:
    """Return the segments below a prefix, oldest first.

    Raises:
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    with readable_errors(folder):
        objects = [meta for batch in obstore.list(store_of(folder), f"{folder.key}/") for meta in batch]
    segments = (_segment(folder, meta) for meta in objects)
    return sorted((segment for segment in segments if _is_segment(segment.name)), key=lambda segment: segment.name)


def _segment(folder: BucketPath, meta: "ObjectMeta") -> SegmentObject:
    stored_ns = int(meta["last_modified"].timestamp() * 1e9)
    return SegmentObject(BucketPath(folder.bucket, meta["path"]), meta["size"], stored_ns)


def _is_segment(name: str) -> bool:
    return name.endswith(ENDING) and name.partition("-")[0].isdecimal()
