"""The writing thread of a sink: it writes the queue as a group, and one sync or put acknowledges the whole group.

::

    show ──▶ lists  (bounded; full: the newest is dropped and counted) ─┐
                                                                        ├─▶ one thread ──▶ segments
  submit ──▶ events (bounded; full or refused: sent again later) ───────┘

Events are written when they have waited for ``group_seconds``, or are ``group_bytes``; their callers are answered when
they are kept. Lists are written every ``write_seconds``; while the disk or the bucket refuses, or is gone, they wait,
and writing starts again by itself. Any other error is logged once and treated likewise: the thread ends with the sink
only.

Lines of forgotten users are left out at write time, however long they waited.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Container, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from components.contracts.errors import RankloopError
from components.feedback.recent_ids import RecentIds
from components.feedback.sink import EventsRefusedError, IngestResult
from components.home.storage.locations import Location
from components.home.trouble_log import TroubleLog

log = logging.getLogger("rankloop.feedback")
REFUSALS = (OSError, RankloopError)  # of a disk, or of a bucket


@dataclass(frozen=True)
class WritingLimits:
    """Bounds of the queue, and how often it is written; the defaults suit a shop."""

    lists: int = 10_000  # waiting at most
    lists_bytes: int = 64 * 2**20  # waiting at most: a list of 1,000 items has half a megabyte
    events: int = 20_000  # waiting at most
    group_seconds: float = 0.0  # how long an event waits for others to be written with it
    group_bytes: int = 2**20  # of events that wait no longer
    piece_bytes: int = 4 * 2**20  # of lists that are written at once
    write_seconds: float = 0.25  # between two writes of lists
    retry_seconds: float = 1.0  # after the disk refused
    close_seconds: float = 5.0  # for a disk that refuses at the end
    segment_bytes: int = 16 * 2**20
    lists_seconds: float = 300.0  # age at which a segment of lists is sealed, and so moved
    events_seconds: float = 3600.0
    remembered: int = 200_000  # event ids


class LineWriter(Protocol):
    """Writes lines to segments of one folder or prefix."""

    @property
    def folder(self) -> Location:
        """Return where the segments lie."""

    def write(self, lines: bytes) -> None:
        """Write whole lines, and return once they are kept; after an error none of them is promised.

        Raises:
            OSError, RankloopError: the disk or the bucket refuses.
        """

    def tend(self) -> None:
        """Seal a segment that is large, old or lost."""

    def close(self) -> None:
        """Seal the segment that is open, if there is one."""


class ListLine(NamedTuple):
    """A stored list of a user."""

    user_id: str
    line: bytes


class EventLine(NamedTuple):
    """A stored event of a user."""

    event_id: str
    user_id: str
    line: bytes


@dataclass(frozen=True)
class Batch:
    """Events submitted together: all of them are taken, or none."""

    events: Sequence[EventLine]
    done: "Future[IngestResult]" = field(default_factory=Future)

    @property
    def size(self) -> int:
        """Return the bytes of its lines."""
        return sum(len(event.line) for event in self.events)


@dataclass
class Counters:
    """Counts of a writer since it was opened."""

    lists_written: int = 0
    lists_dropped: int = 0
    events_written: int = 0
    events_repeated: int = 0
    events_refused: int = 0


class GroupWriter:
    """Writes lists and events of one process; ``show`` and ``submit`` may be called from any one thread."""

    def __init__(
        self,
        lists: LineWriter,
        events: LineWriter,
        limits: WritingLimits,
        known: RecentIds,
        forgotten: Container[str] = (),
        check_current: Callable[[], object] = lambda: None,
    ) -> None:
        """Begin to write.

        Args:
            forgotten: users of whom nothing is written; asked again whenever something is.
            check_current: makes sure, right before they are asked, that they are all who were forgotten by then.
        """
        self._list_segments, self._event_segments = lists, events
        self._limits, self._known, self._forgotten, self._check_current = limits, known, forgotten, check_current
        self._lists: deque[ListLine] = deque()
        self._held: list[ListLine] = []  # a piece taken from the queue, not written yet
        self._shown_bytes = 0  # of all lists ever queued, counted by who shows
        self._freed_bytes = 0  # of those that wait no more, counted by the thread
        self._batches: deque[Batch] = deque()
        self._waiting_events = self._waiting_bytes = 0
        self._events_due = math.inf  # by the monotonic clock
        self.counters = Counters()
        self._draining: deque[Future[None]] = deque()  # each ends with the round of the thread that is under way
        self._wake, self._closing = threading.Event(), threading.Event()
        self._submitting = threading.Lock()
        self._next_write = time.monotonic() + limits.write_seconds
        self._all_synced_at = time.monotonic()
        self._troubles, self._failures = TroubleLog(log), TroubleLog(log, logging.ERROR)
        self._thread = threading.Thread(target=self._run, name="feedback", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """Return lists that wait to be written."""
        return len(self._lists) + len(self._held)

    @property
    def sync_age_seconds(self) -> float:
        """Return the time since everything that had been logged was kept; it grows while that is refused."""
        return time.monotonic() - self._all_synced_at

    def show(self, shown_list: ListLine) -> bool:
        """Queue a list; False if it was dropped, for the queue is full."""
        limits, shown = self._limits, self._shown_bytes + len(shown_list.line)
        is_full = len(self._lists) + len(self._held) >= limits.lists or shown - self._freed_bytes > limits.lists_bytes
        if is_full or self._closing.is_set():
            self.counters.lists_dropped += 1
            return False
        self._shown_bytes = shown
        self._lists.append(shown_list)
        return True

    def submit(self, events: Sequence[EventLine]) -> "Future[IngestResult]":
        """Queue events; the future ends when they are kept, or with ``EventsRefusedError``."""
        batch = Batch(events)
        with self._submitting:
            if self._closing.is_set():
                raise self._refused_events(len(events), "the service is stopping")
            if self._waiting_events + len(events) > self._limits.events:
                raise self._refused_events(len(events), f"{self._waiting_events:,} events wait to be written already")
            self._queue(batch)
        return batch.done

    def _queue(self, batch: Batch) -> None:
        """Add a batch to the queue; the thread wakes for the first one, and when the queue is long enough."""
        self._waiting_events += len(batch.events)
        self._waiting_bytes += batch.size
        self._batches.append(batch)
        if self._waiting_bytes >= self._limits.group_bytes:
            self._events_due = 0.0
        if len(self._batches) == 1 or not self._events_due:
            self._events_due = min(self._events_due, time.monotonic() + self._limits.group_seconds)
            self._wake.set()

    def close(self) -> None:
        """Write and sync everything that is queued, and stop."""
        with self._submitting:
            self._closing.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        self._do("reading known ids", self._load_known)
        while not self._closing.is_set():
            self._wake.wait(max(min(self._next_write, self._events_due) - time.monotonic(), 0.0))
            self._wake.clear()
            if time.monotonic() >= self._events_due:
                self._do("writing events", self._write_events)
            if time.monotonic() >= self._next_write:
                self._do("writing lists", self._write_lists)
            self._do("sealing segments", self._tend)
            self._end_round()
        self._finish()

    def drained(self) -> "Future[None]":
        """Return a future that ends once all that was being written when it was asked for is written, or refused.

        Later writes read the tombstones again.
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
        """Do one round, and return whether it succeeded; an error never ends the thread."""
        try:
            duty()
        except REFUSALS:  # which are logged where they are met
            return False
        except Exception:
            self._failures.report(what, f"{what} fails; it is tried again and again", exc_info=True)
            return False
        self._failures.report(what, None)
        return True

    def _finish(self) -> None:
        ends = time.monotonic() + self._limits.close_seconds
        self._do("writing events", self._write_events)
        while self.queued:
            if self._do("writing lists", self._write_lists):
                continue
            if time.monotonic() >= ends:
                break
            time.sleep(min(self._limits.retry_seconds, 0.1))
        if self.queued:
            log.error("%s lists are lost: they were refused until the end", f"{self.queued:,}")
        self.counters.lists_dropped += self.queued
        self._list_segments.close()
        self._event_segments.close()
        self._end_round()

    def _tend(self) -> None:
        for writer in (self._list_segments, self._event_segments):
            writer.tend()

    def _write_lists(self) -> None:
        """Write one batch of the queue; the next is due at once if more may wait."""
        self._next_write = time.monotonic() + self._limits.retry_seconds  # if this one fails
        size = self._hold_piece()
        self._check_forgotten(self._held)
        lines = [line for user_id, line in self._held if user_id not in self._forgotten]
        self._append(self._list_segments, lines)
        self.counters.lists_written += len(lines)
        self._held.clear()
        self._freed_bytes += size
        self._next_write = time.monotonic()
        if size < self._limits.piece_bytes:
            self._all_synced_at = self._next_write
            self._next_write += self._limits.write_seconds

    def _hold_piece(self) -> int:
        """Take lists from the queue until there is a piece of them, and return its bytes."""
        size = sum(len(held.line) for held in self._held)
        while self._lists and size < self._limits.piece_bytes:
            self._held.append(self._lists[0])
            size += len(self._lists.popleft().line)
        return size

    def _check_forgotten(self, waiting: Collection[object]) -> None:
        """Make sure that users who were forgotten are known, if anything waits: nothing is written before that."""
        if not waiting:
            return
        try:
            self._check_current()
        except REFUSALS as error:
            self._troubles.report("forgotten", f"who was forgotten is not known ({error}); it is tried again and again")
            raise
        self._troubles.report("forgotten", None, ended="who was forgotten is known again")

    def _load_known(self) -> None:
        """Read which events are known already: none is taken before that, for it could be taken twice."""
        try:
            self._known.load()
        except REFUSALS as error:
            self._troubles.report("known", f"known events cannot be read ({error}); it is tried again and again")
            raise
        self._troubles.report("known", None, ended="known events can be read again")

    def _write_events(self) -> None:
        with self._submitting:
            group = list(self._batches)
            self._batches.clear()
            self._waiting_events = self._waiting_bytes = 0
            self._events_due = math.inf
        try:
            self._log_events([batch for batch in group if batch.done.set_running_or_notify_cancel()])
        except Exception as error:
            self._refuse([batch for batch in group if not batch.done.done()], error)
            raise

    def _refuse(self, batches: Sequence[Batch], error: Exception) -> None:
        why = f"they cannot be written ({error!r})"
        if isinstance(error, OSError):
            why = f"the disk refuses ({error.strerror or error})"  # which file is the log's to say
        elif isinstance(error, RankloopError):
            why = "the bucket refuses"  # why is the log's to say
        for batch in batches:
            with self._submitting:
                refusal = self._refused_events(len(batch.events), why)
            batch.done.set_exception(refusal)

    def _log_events(self, wanted: Sequence[Batch]) -> None:
        self._load_known()
        self._check_forgotten(wanted)
        fresh: dict[str, bytes] = {}
        answers = [self._answer(batch, fresh) for batch in wanted]
        self._append(self._event_segments, fresh.values())
        self._known.add(fresh)
        for batch, answer in zip(wanted, answers, strict=True):
            self.counters.events_written += len(answer.fresh)
            self.counters.events_repeated += answer.repeated
            batch.done.set_result(answer)

    def _answer(self, batch: Batch, fresh: dict[str, bytes]) -> IngestResult:
        """Add the new events of a batch to ``fresh``, and count them."""
        mine, let_go = set(), 0
        for event_id, user_id, line in batch.events:
            if user_id in self._forgotten:
                let_go += 1
            elif event_id not in self._known and event_id not in fresh:
                fresh[event_id] = line
                mine.add(event_id)
        accepted = len(mine) + let_go
        return IngestResult(accepted, len(batch.events) - accepted, frozenset(mine))

    def _append(self, writer: LineWriter, lines: Collection[bytes]) -> None:
        """Write lines, and say once when the disk begins to refuse, and when it takes them again."""
        if not lines:
            return
        folder = str(writer.folder)
        try:
            writer.write(b"".join(lines))
        except REFUSALS as error:
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
