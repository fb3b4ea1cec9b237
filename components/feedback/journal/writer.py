"""The journal's writing thread: what is queued is appended and synced as a group.

::

    show ──▶ lists  (bounded; full: the newest is dropped and counted) ─┐
                                                                        ├─▶ one thread ──▶ segments
    take ──▶ events (bounded; full or disk refuses: refused)  ──────────┘

Events are written at once, and whoever handed them in is told when they are on disk. Lists are written every quarter
of a second; while the disk refuses, or is gone, they wait, and writing starts again by itself. Any other error is
logged once and treated likewise: the thread ends with the journal only.

Lines of forgotten users are left out at write time, however long they waited.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Container, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from components.contracts.errors import StoreError
from components.feedback.journal.recent_ids import RecentIds
from components.feedback.journal.segments import SegmentWriter
from components.feedback.places import Places
from components.home.trouble_log import TroubleLog

log = logging.getLogger("rankloop.feedback")
PIECE_BYTES = 4 * 2**20  # of lists that are joined and synced at once


class EventsRefusedError(StoreError):
    """Events that could not be put on disk, and were not taken: send them again."""


@dataclass(frozen=True)
class Pace:
    """How much waits, and how often it is written; the defaults suit a shop."""

    lists: int = 10_000  # waiting at most
    lists_bytes: int = 64 * 2**20  # waiting at most: a list of 1,000 items has half a megabyte
    events: int = 20_000  # waiting at most
    write_seconds: float = 0.25  # between two writes of lists
    retry_seconds: float = 1.0  # after the disk refused
    close_seconds: float = 5.0  # for a disk that refuses at the end
    segment_bytes: int = 16 * 2**20
    lists_seconds: float = 300.0  # age at which a segment of lists is closed, and so moved
    events_seconds: float = 3600.0
    remembered: int = 200_000  # event ids


@dataclass(frozen=True)
class Taken:
    """What came of a batch of events that is on disk; those of forgotten users are accepted and let go."""

    accepted: int
    repeated: int
    fresh: frozenset[str] = frozenset()  # ids of those that were logged


class ListLine(NamedTuple):
    """A list of a user, as it is written."""

    user_id: str
    line: bytes


class EventLine(NamedTuple):
    """An event of a user, as it is written."""

    event_id: str
    user_id: str
    line: bytes


@dataclass(frozen=True)
class Batch:
    """Events handed in together: all of them are taken, or none."""

    events: Sequence[EventLine]
    done: "Future[Taken]" = field(default_factory=Future)


@dataclass
class Counters:
    """What the journal has done since it was opened."""

    lists_written: int = 0
    lists_dropped: int = 0
    events_written: int = 0
    events_repeated: int = 0
    events_refused: int = 0


class Journal:
    """Writes lists and events of one process; ``show`` and ``hand_in`` may be called from any one thread."""

    def __init__(self, places: Places, pace: Pace, known: RecentIds, forgotten: Container[str] = ()) -> None:
        self._pace, self._known, self._forgotten = pace, known, forgotten
        self._lists: deque[ListLine] = deque()
        self._held: list[ListLine] = []  # a piece taken from the queue, not on disk yet
        self._shown_bytes = 0  # of all lists ever queued, counted by who shows
        self._freed_bytes = 0  # of those that wait no more, counted by the thread
        self._batches: deque[Batch] = deque()
        self._waiting_events = 0
        self._list_segments = SegmentWriter(places.lists, pace.segment_bytes, pace.lists_seconds)
        self._event_segments = SegmentWriter(places.events, pace.segment_bytes, pace.events_seconds)
        self.counters = Counters()
        self._draining: deque[Future[None]] = deque()  # each ends with the round of the thread that is under way
        self._wake, self._closing = threading.Event(), threading.Event()
        self._handing_in = threading.Lock()
        self._next_write = time.monotonic() + pace.write_seconds
        self._all_synced_at = time.monotonic()
        self._troubles, self._failures = TroubleLog(log), TroubleLog(log, logging.ERROR)
        self._thread = threading.Thread(target=self._run, name="feedback-journal", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """Lists that wait to be written."""
        return len(self._lists) + len(self._held)

    @property
    def sync_age_seconds(self) -> float:
        """Time since everything that had been logged was on disk; it grows while the disk refuses."""
        return time.monotonic() - self._all_synced_at

    def show(self, shown_list: ListLine) -> bool:
        """Queue a list; False if it was dropped, for the queue is full."""
        pace, shown = self._pace, self._shown_bytes + len(shown_list.line)
        is_full = len(self._lists) + len(self._held) >= pace.lists or shown - self._freed_bytes > pace.lists_bytes
        if is_full or self._closing.is_set():
            self.counters.lists_dropped += 1
            return False
        self._shown_bytes = shown
        self._lists.append(shown_list)
        return True

    def hand_in(self, events: Sequence[EventLine]) -> "Future[Taken]":
        """Queue events; the future ends when they are on disk, or with ``EventsRefusedError``."""
        batch = Batch(events)
        with self._handing_in:
            if self._closing.is_set():
                raise self._refused_events(len(events), "the service is stopping")
            if self._waiting_events + len(events) > self._pace.events:
                raise self._refused_events(len(events), f"{self._waiting_events:,} events wait to be written already")
            self._waiting_events += len(events)
            self._batches.append(batch)
        self._wake.set()
        return batch.done

    def close(self) -> None:
        """Write and sync everything that is queued, and stop."""
        with self._handing_in:
            self._closing.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        self._do("reading known ids", self._load_known)
        while not self._closing.is_set():
            self._wake.wait(max(self._next_write - time.monotonic(), 0.001))
            self._wake.clear()
            if self._batches:
                self._do("writing events", self._write_events)
            if time.monotonic() >= self._next_write:
                self._do("writing lists", self._write_lists)
            self._do("closing segments", self._rotate)
            self._end_round()
        self._finish()

    def drained(self) -> "Future[None]":
        """Return a future that ends once all that was being written when it was asked for is written, or refused.

        What begins to be written afterwards asks again who was forgotten.
        """
        done: Future[None] = Future()
        self._draining.append(done)
        if not self._thread.is_alive():
            self._end_round()
        return done

    def _end_round(self) -> None:
        with suppress(IndexError):
            while True:
                self._draining.popleft().set_result(None)

    def _do(self, what: str, duty: Callable[[], None]) -> bool:
        """Do what is done again and again, and say whether it went well; nothing that goes wrong ends the thread."""
        try:
            duty()
        except OSError:  # which is told of where it is met
            return False
        except Exception:
            self._failures.report(what, f"{what} fails; it is tried again and again", exc_info=True)
            return False
        self._failures.report(what, None)
        return True

    def _finish(self) -> None:
        ends = time.monotonic() + self._pace.close_seconds
        self._do("writing events", self._write_events)
        while self.queued:
            if self._do("writing lists", self._write_lists):
                continue
            if time.monotonic() >= ends:
                break
            time.sleep(min(self._pace.retry_seconds, 0.1))
        if self.queued:
            log.error("%s lists are lost: the disk refused them until the end", f"{self.queued:,}")
        self.counters.lists_dropped += self.queued
        self._list_segments.close()
        self._event_segments.close()
        self._end_round()

    def _rotate(self) -> None:
        for writer in (self._list_segments, self._event_segments):
            writer.leave_lost()
            writer.rotate()

    def _write_lists(self) -> None:
        """Write a piece of what waits; the next is due at once if there may be more."""
        self._next_write = time.monotonic() + self._pace.retry_seconds  # if this one fails
        size = self._hold_piece()
        lines = [line for user_id, line in self._held if user_id not in self._forgotten]
        self._append(self._list_segments, lines)
        self.counters.lists_written += len(lines)
        self._held.clear()
        self._freed_bytes += size
        self._next_write = time.monotonic()
        if size < PIECE_BYTES:
            self._all_synced_at = self._next_write
            self._next_write += self._pace.write_seconds

    def _hold_piece(self) -> int:
        """Take lists from the queue until there is a piece of them, and return its bytes."""
        size = sum(len(held.line) for held in self._held)
        while self._lists and size < PIECE_BYTES:
            self._held.append(self._lists[0])
            size += len(self._lists.popleft().line)
        return size

    def _load_known(self) -> None:
        """Read which events are known already: none is taken before that, for it could be taken twice."""
        try:
            self._known.load()
        except OSError as error:
            self._troubles.report("known", f"known events cannot be read ({error}); it is tried again and again")
            raise
        self._troubles.report("known", None, ended="known events can be read again")

    def _write_events(self) -> None:
        with self._handing_in:
            group = list(self._batches)
            self._batches.clear()
            self._waiting_events = 0
        try:
            self._log_events([batch for batch in group if batch.done.set_running_or_notify_cancel()])
        except Exception as error:
            self._refuse([batch for batch in group if not batch.done.done()], error)
            raise

    def _refuse(self, batches: Sequence[Batch], error: Exception) -> None:
        why = f"they cannot be written ({error!r})"
        if isinstance(error, OSError):
            why = f"the disk refuses ({error.strerror or error})"  # which file is the log's to say
        for batch in batches:
            with self._handing_in:
                refusal = self._refused_events(len(batch.events), why)
            batch.done.set_exception(refusal)

    def _log_events(self, wanted: Sequence[Batch]) -> None:
        self._load_known()
        fresh: dict[str, bytes] = {}
        answers = [self._answer(batch, fresh) for batch in wanted]
        self._append(self._event_segments, fresh.values())
        self._known.add(fresh)
        for batch, answer in zip(wanted, answers, strict=True):
            self.counters.events_written += len(answer.fresh)
            self.counters.events_repeated += answer.repeated
            batch.done.set_result(answer)

    def _answer(self, batch: Batch, fresh: dict[str, bytes]) -> Taken:
        """Add the events of a batch that nobody knows yet to ``fresh``, and count them."""
        mine, let_go = set(), 0
        for event_id, user_id, line in batch.events:
            if user_id in self._forgotten:
                let_go += 1
            elif event_id not in self._known and event_id not in fresh:
                fresh[event_id] = line
                mine.add(event_id)
        accepted = len(mine) + let_go
        return Taken(accepted, len(batch.events) - accepted, frozenset(mine))

    def _append(self, writer: SegmentWriter, lines: Collection[bytes]) -> None:
        """Write lines, and say once when the disk begins to refuse, and when it takes them again."""
        if not lines:
            return
        folder = str(writer.folder)
        try:
            writer.write(b"".join(lines))
        except OSError as error:
            if folder not in self._troubles:
                self._troubles.report(folder, f"{folder} cannot be written ({error}); it is tried again and again")
            raise
        except Exception:
            writer.close()  # nothing follows a line that may be torn
            raise
        self._troubles.report(folder, None, ended=f"{folder} can be written again")

    def _refused_events(self, events: int, why: str) -> EventsRefusedError:
        self.counters.events_refused += events
        return EventsRefusedError(f"{events:,} events were not taken: {why}; send them again later")
