"""Segments as readers see them: complete lines, in files that grow or in objects that do not."""

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from components.feedback.segments.files import SegmentFile, segments
from components.feedback.segments.objects import SegmentObject, segment_objects
from components.home.storage.documents import remove_documents
from components.home.storage.locations import BucketPath, Location

READERS = 16  # objects that are fetched at once
BATCH_BYTES = 32 * 2**20  # of segments whose lines are in memory together
READ_AT_ONCE = 200  # segments of a batch that is read
Kind = TypeVar("Kind", bound="Segment")


class Segment(Protocol):
    """One segment; a missing one has no lines and is sealed."""

    @property
    def location(self) -> Location:
        """Return its file or object."""

    @property
    def name(self) -> str:
        """Return its name; names sort by when segments were begun."""

    @property
    def size(self) -> int:
        """Return its bytes."""

    @property
    def changed_ns(self) -> int:
        """Return when lines were last added to it, in nanoseconds since 1970."""

    @property
    def stored_ns(self) -> int:
        """Return a time that rises whenever its file or object is written, in nanoseconds since 1970."""

    def is_sealed(self) -> bool:
        """Return whether nothing is written to it any more."""

    def lines(self) -> bytes:
        """Return its whole lines."""

    def last_line(self) -> bytes:
        """Return its last whole line, without its end; nothing if it takes reading the whole segment to tell."""


def list_segments(folder: Location) -> Sequence[Segment]:
    """Return the segments of a folder or prefix, oldest first; none if there is no such folder.

    Raises:
        OSError, ConfigurationError, StorageError: it cannot be read.
    """
    if isinstance(folder, BucketPath):
        return segment_objects(folder)
    return [SegmentFile(path) for path in segments(folder)]


def read_segments(some: Sequence[Segment]) -> list[bytes]:
    """Return the lines of each segment; objects are fetched several at a time."""
    if not any(isinstance(segment, SegmentObject) for segment in some):
        return [segment.lines() for segment in some]
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(lambda segment: segment.lines(), some))


def batches(some: Iterable[Kind], max_bytes: int = BATCH_BYTES, max_segments: float = math.inf) -> Iterator[list[Kind]]:
    """Yield segments, in their order, in batches that are bounded; a larger segment is a batch of its own."""
    batch: list[Kind] = []
    size = 0
    for segment in some:
        if batch and (size + segment.size > max_bytes or len(batch) == max_segments):
            yield batch
            batch, size = [], 0
        batch.append(segment)
        size += segment.size
    if batch:
        yield batch


def remove_segments(some: Iterable[Segment]) -> None:
    """Remove segments of one folder or prefix; objects go many at a time."""
    remove_documents(segment.location for segment in some)
