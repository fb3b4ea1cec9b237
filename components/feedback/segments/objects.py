"""Segments in a bucket: each is an object of complete lines, sealed when it is created.

Their names and lines are those of the journal's segments.
"""

import time
import uuid
from dataclasses import dataclass

from components.contracts.errors import StorageError
from components.feedback.segments.files import ENDING
from components.home.storage.documents import create_document, objects_below, read_document
from components.home.storage.locations import BucketPath


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


def segment_objects(folder: BucketPath) -> list[SegmentObject]:
    """Return the segments below a prefix, oldest first.

    Raises:
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    segments = (
        SegmentObject(each.location, each.size, int(each.modified.timestamp() * 1e9)) for each in objects_below(folder)
    )
    return sorted((segment for segment in segments if _is_segment(segment.name)), key=lambda segment: segment.name)


def _is_segment(name: str) -> bool:
    return name.endswith(ENDING) and name.partition("-")[0].isdecimal()
