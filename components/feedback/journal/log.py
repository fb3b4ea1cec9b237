"""The feedback log that the service writes: lists without waiting, events until they are on disk."""

import asyncio
from collections.abc import Container, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from components.feedback.compaction.mover import Mover
from components.feedback.journal.lines import event_line, list_line
from components.feedback.journal.recent_ids import RecentIds
from components.feedback.journal.segments import segments, whole_lines
from components.feedback.journal.writer import EventLine, EventsRefusedError, Journal, ListLine, Pace, Taken
from components.feedback.places import Places
from components.feedback.records import ServedEvent, ServedList, read_events

__all__ = ["EventsRefusedError", "FeedbackLog", "LogFacts", "Pace", "ServedEvent", "ServedList", "Taken"]

MOVE_SECONDS = 15.0  # between two looks for closed segments


@dataclass(frozen=True)
class LogFacts:
    """The log's figures since it was opened, for metrics."""

    lists_queued: int
    lists_dropped: int
    lists_written: int
    events_written: int
    events_repeated: int
    events_refused: int
    sync_age_seconds: float  # grows while the disk refuses
    rows_moved: int
    move_failures: int


class FeedbackLog:
    """One process's way into the log; several processes may open one folder.

    ``show`` and ``take`` are called from the event loop; ``close`` from anywhere.
    """

    def __init__(
        self,
        folder: Path,
        pace: Pace | None = None,
        move_seconds: float = MOVE_SECONDS,
        forgotten: Container[str] = (),
    ) -> None:
        """Open the log in a folder (``home.feedback``), which is created when something is logged.

        Args:
            move_seconds: how often closed segments are looked for.
            forgotten: users of whom nothing is written; asked again whenever something is.
        """
        self._places, pace = Places(folder), pace or Pace()
        known = RecentIds(pace.remembered, partial(_recent_ids, self._places))
        self._journal = Journal(self._places, pace, known, forgotten)
        self._mover = Mover(self._places, move_seconds)

    def show(self, served: ServedList) -> bool:
        """Log a list without waiting; False if it was dropped, for too many wait to be written."""
        return self._journal.show(ListLine(served.user_id, list_line(served)))

    async def take(self, events: Sequence[ServedEvent]) -> Taken:
        """Log events, all or none, and return once they are on disk; an event whose id is known is not logged again.

        Raises:
            EventsRefusedError: they could not be put on disk; the caller sends them again.
        """
        done = self._journal.hand_in([EventLine(one.event_id, one.user_id, event_line(one)) for one in events])
        return await asyncio.wrap_future(done)

    def drained(self) -> "Future[None]":
        """Return a future that ends once all that was being written when it was asked for is on disk, or refused."""
        return self._journal.drained()

    @property
    def facts(self) -> LogFacts:
        """The log's figures."""
        journal = self._journal
        return LogFacts(
            lists_queued=journal.queued,
            **vars(journal.counters),
            sync_age_seconds=journal.sync_age_seconds,
            rows_moved=self._mover.rows_moved,
            move_failures=self._mover.failures,
        )

    def close(self) -> None:
        """Put everything that is queued on disk, move the lists, and stop; nothing is logged from now on."""
        self._journal.close()
        self._mover.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _recent_ids(places: Places, limit: int) -> list[str]:
    """Return the ids of the newest events in the journal, oldest first."""
    known: list[str] = []
    for segment in reversed(segments(places.events)):
        known = read_events(whole_lines(segment), ["event_id"])["event_id"].drop_null().to_pylist() + known
        if len(known) >= limit:
            break
    return known[-limit:]
