"""The sink of the service's feedback: lists are queued, events are acknowledged once they are durable.

::

    service ──▶ FeedbackSink ─┬─▶ journal: segments on this machine's disk, lists moved to a table beside the answers
                              └─▶ bucket:  small sealed segments, each an object

``segment_sink.open_sink`` chooses by where the home lies.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from components.contracts.errors import StoreError
from components.feedback.segments.records import ServedEvent, ServedList


class EventsRefusedError(StoreError):
    """Events that could not be kept, and were not taken: send them again."""


@dataclass(frozen=True)
class IngestResult:
    """The result of keeping a batch of events; events of forgotten users are accepted and dropped."""

    accepted: int
    repeated: int
    fresh: frozenset[str] = frozenset()  # ids of those that were logged


@dataclass(frozen=True)
class SinkFacts:
    """A sink's figures since it was opened, for metrics."""

    lists_queued: int
    lists_dropped: int
    lists_written: int
    events_written: int
    events_repeated: int
    events_refused: int
    sync_age_seconds: float  # grows while the disk or the bucket refuses
    rows_moved: int
    move_failures: int


class FeedbackSink(Protocol):
    """One process's way to keep feedback; ``show`` and ``take`` are called from the event loop, the rest anywhere."""

    def show(self, served: ServedList) -> bool:
        """Keep a list without waiting; False if it was dropped, for too many wait to be written."""

    async def take(self, events: Sequence[ServedEvent]) -> IngestResult:
        """Keep events, all or none, and return once they are durable; an event with a known id is not kept again.

        Raises:
            EventsRefusedError: they could not be kept; the caller sends them again.
        """

    def drained(self) -> "Future[None]":
        """Return a future that ends once all that was being written when it was asked for is kept, or refused.

        Later writes read the tombstones again.
        """

    @property
    def facts(self) -> SinkFacts:
        """Return the sink's figures."""

    def close(self) -> None:
        """Keep everything that is queued, and stop; nothing is taken from now on."""
