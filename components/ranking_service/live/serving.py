"""One process's service: what the routes share, from its start to its end."""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime
from threading import Lock

import pyarrow as pa
from starlette.requests import Request

from components.contracts.errors import RankloopError, StoreError
from components.feedback.acknowledgements import TombstoneAcknowledger
from components.feedback.reading import LastEvents, last_events
from components.feedback.segment_sink import BUCKET_LIMITS, open_sink
from components.feedback.segments.records import ServedEvent, ServedList
from components.feedback.sink import FeedbackSink, IngestResult
from components.home.storage.documents import Stamp
from components.home.tombstones import TombstoneView
from components.ranking_service.answering.answer_queue import AnswerQueue
from components.ranking_service.answering.answers import Answer, RankingQuery, empty_answer
from components.ranking_service.answering.fair_queue import FairLock
from components.ranking_service.answering.recommender import Prepared
from components.ranking_service.answering.sessions import EVENT_COLUMNS, Sessions, journal_sessions, session_events
from components.ranking_service.answering.unkept import Unkept
from components.ranking_service.live.loader import LiveLoader
from components.ranking_service.live.row_counts import RowCount
from components.ranking_service.live.session_writer import SessionWriter
from components.ranking_service.live.state import LiveState
from components.ranking_service.live.watcher import LiveWatcher
from components.ranking_service.settings import BUNDLE, SESSION_EVENTS, SESSION_USERS, ServiceSettings
from components.ranking_service.telemetry.measures import Measures
from components.ranking_service.telemetry.shown_lists import ShownList, ShownLists, find_lists
from feature_repo.packed_online_store.backends.lmdb_environments import embedded_folder
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.sessions import TTL

BUNDLES = "the bundles and the item rows"
log = logging.getLogger("bentoml.rankloop.serving")


class Serving:
    """``live`` is replaced whole, and is None for as long as there is nothing to rank with."""

    def __init__(self, settings: ServiceSettings, measures: Measures) -> None:
        """Open nothing yet.

        Raises:
            ConfigurationError: no run has made a home there, or its tombstones cannot be read.
        """
        self.live: LiveState | None = None
        self.queue = AnswerQueue(settings.admission)
        self.measures = measures
        self._known = TombstoneView(settings.home.tombstones)
        self.unkept = Unkept(settings.home, self._known)
        self.sessions = Sessions(self.unkept, settings.live.session_users)
        self._loader = LiveLoader(settings, self.sessions, self._known)
        self.watcher = LiveWatcher(self._loader, self.put, self._follow)
        self._shown = ShownLists()
        self._session_writer = SessionWriter(self.sessions, self._shown, self._live_store, self._drop_newly_forgotten)
        self._log: FeedbackSink | None = None
        self._home, self._bundle = settings.home, settings.bundle
        self._bucket_limits = replace(BUCKET_LIMITS, **asdict(settings.feedback))
        self._acknowledger: TombstoneAcknowledger | None = None
        self._dropped: Stamp | None = None  # the state of the tombstones whose users no session is of
        self._putting = Lock()
        self.long_batches = FairLock()
        """Held while a long batch of events is parsed and taken: several at once would delay all other requests."""
        self._takings: set[asyncio.Task[IngestResult]] = set()
        self._remembering = ThreadPoolExecutor(1, "sessions")  # its own: no slow reader of the store is waited for
        self._max_session_events = settings.live.session_events
        self._is_restored = False
        self.is_started = False
        """Whether requests are answered: all that is there was opened, and the log is."""
        self.reading: str | None = BUNDLES
        """What is being read before the service is ready, in words."""
        self.events_left = 0  # of the journal, beyond what a start reads

    def start(self) -> None:
        """Open what was promoted, and begin to log and to follow; nothing that is missing stops it."""
        self._acknowledger = TombstoneAcknowledger(self._home, self._known)
        self._log = open_sink(self._home.feedback, self._known, self._bucket_limits, self._acknowledger.check_current)
        try:
            self.unkept.follow()
        except RankloopError as error:
            log.warning("the service begins with the usual words for nobody alone: %s", error)
        self.watcher.start()
        self._session_writer.start()
        self.is_started, self.reading = True, None

    def stop(self) -> None:
        """Put everything that was shown on disk."""
        self._remembering.shutdown()
        if self._log is not None:
            self._log.close()
        self._session_writer.stop()
        self.watcher.stop()
        self._loader.time.keep()
        if self._acknowledger is not None:
            self._acknowledger.close()

    @property
    def starting(self) -> str | None:
        """Return what is being read before requests are answered, in words; None once they are."""
        return None if self.is_started else self.reading

    @property
    def unready(self) -> str | None:
        """Return why no request should come here yet, in words.

        With RANKLOOP_BUNDLE, a process waits until it has that bundle, so that a rollout never goes on to a fallback.
        """
        if self.reading:
            return f"still reading {self.reading}"
        if self.live is None:
            return "there is nothing to rank with yet"
        if self._bundle and self.live.champion.bundle.digest != self._bundle:
            return f"the bundle that {BUNDLE} names is not open: {self.live.trouble.get('champion')}"
        return None

    @property
    def log(self) -> FeedbackSink:
        """Return the feedback sink of a service that was started."""
        assert self._log is not None, "the service was not started"
        return self._log

    def now(self) -> datetime:
        """The home's present moment.

        Raises:
            StoreError: it is not known yet, for the store could not be reached since the start.
        """
        return self._loader.time()

    def prepare(self, query: RankingQuery) -> Prepared | Answer:
        """Prepare a query for scoring by what is live now; an empty answer while nothing is."""
        live = self.live
        return live.prepare(query) if live is not None else empty_answer(query)

    def row_counts(self) -> Mapping[str, RowCount]:
        """Return rows that should be online and those that are, by view; nothing while nothing is live."""
        return self._loader.row_counts(self.live) if self.live is not None else {}

    def show(self, served: ServedList) -> None:
        """Log a list that was shown."""
        if self.log.show(served):
            self.measures.clicks.show(served.request_id, served.arm, served.item_ids)
            if self._is_shared() and served.user_id not in self.unkept:
                self._shown.show(served)

    async def take(self, events: Sequence[ServedEvent]) -> IngestResult:
        """Keep events, all or none; they are on disk, or in the bucket, when it returns.

        It goes on when its caller is cancelled: what gets to the disk late is known to the next list too.

        Raises:
            EventsRefusedError: they could not be kept.
        """
        taking = asyncio.create_task(self._take(events))
        self._takings.add(taking)
        taking.add_done_callback(self._has_taken)
        return await asyncio.shield(taking)

    async def _take(self, events: Sequence[ServedEvent]) -> IngestResult:
        taken = await self.log.take(events)
        fresh, clicks = _once(events, taken.fresh), self.measures.clicks
        elsewhere = {
            event.user_id: event.request_id
            for event in fresh
            if event.user_id and event.request_id and clicks.is_unknown(event.event_type, event.request_id)
        }
        shown = await asyncio.get_running_loop().run_in_executor(self._remembering, self._remember, fresh, elsewhere)
        for each in shown:
            clicks.remember(each.request_id, each.arm, each.item_ids)
        for event in fresh:
            clicks.tell(event.event_type, event.request_id, event.item_id)
        return taken

    def _has_taken(self, taking: "asyncio.Task[IngestResult]") -> None:
        self._takings.discard(taking)
        if not taking.cancelled():
            taking.exception()  # a caller that waits has it; one that was cancelled was told to send again

    def _remember(self, events: Sequence[ServedEvent], elsewhere: Mapping[str, str]) -> Sequence[ShownList]:
        """Let the next list of these users know; return what other processes showed them, by user and request."""
        with self._putting:
            live = self.live
        if live is None:
            return ()  # the journal has them, and is read once something is live
        self.sessions.add(session_events(events, live.codes), live.champion.rows.stored_sessions)
        with suppress(StoreError):
            if elsewhere and self._is_shared():
                return find_lists(live.champion.rows.bounded, elsewhere)
        return ()

    def _restore(self, live: LiveState) -> None:
        """Give sessions the last events of the journal, once; events that they hold already count once.

        What cannot be read this time is tried again with what is live next.
        """
        began = time.perf_counter()
        try:
            last = self._last_events()
            dropped = self.sessions.restore(journal_sessions(last.rows, live.champion.pool.items))
        except (OSError, RankloopError, pa.ArrowException) as error:
            log.warning("sessions begin without the last events: the journal cannot be read (%s)", error)
            return
        finally:
            self.reading = None if self.is_started else BUNDLES
        self._is_restored, self.events_left = True, last.left
        _say_restored(self.sessions.users, len(last.rows), dropped, last.left, time.perf_counter() - began)

    def _last_events(self) -> LastEvents:
        def progress(read: int, all_of_them: int) -> None:
            self.reading = f"the events of the last days, {read} of {all_of_them} files of the journal"

        progress(0, 0)
        return last_events(self._home, self.now() - TTL, self._max_session_events, EVENT_COLUMNS, progress)

    def _follow(self) -> None:
        self._loader.time.follow()
        if self._acknowledger is not None:
            self._acknowledger.follow(self._drop_forgotten)
        self.unkept.follow()

    def _drop_forgotten(self) -> "Future[None]":
        """Let go of forgotten users; the log and the sessions take nothing of them from now on."""
        self._drop_from_sessions()
        return self.log.drained()

    def _drop_newly_forgotten(self) -> None:
        """Let go of users who were forgotten since this was last called, as before sessions are written.

        Raises:
            ConfigurationError, StorageError: who was forgotten is not known, for the bucket cannot be used.
        """
        assert self._acknowledger is not None, "the service was not started"
        stamp = self._acknowledger.check_current()
        if stamp != self._dropped:
            self._drop_from_sessions()
            self._dropped = stamp

    def _drop_from_sessions(self) -> None:
        self.sessions.drop_forgotten()
        self._shown.drop_forgotten(self.unkept)

    def _is_shared(self) -> bool:
        """Say whether the store is a server, which processes on other machines use too."""
        client = self._live_store()
        return client is not None and embedded_folder(client.backend.url) is None

    def _live_store(self) -> PackedClient | None:
        return None if self.live is None else self.live.champion.rows.bounded

    def put(self, live: LiveState) -> None:
        """Answer with another state from now on."""
        with self._putting:
            was, self.live = self.live, live
        if was is None or not self._is_restored:
            self._restore(live)


def _say_restored(users: int, events: int, dropped: int, left: int, seconds: float) -> None:
    if users:
        log.info("sessions of %s users restored from %s events in %.1f s", f"{users:,}", f"{events:,}", seconds)
    if dropped or left:
        log.warning(
            "sessions of %s users and about %s older events are not restored: more than %s and %s allow",
            *(f"{dropped:,}", f"{left:,}", SESSION_USERS, SESSION_EVENTS),
        )


def _once(events: Sequence[ServedEvent], fresh: Collection[str]) -> list[ServedEvent]:
    """Events that are new, the first of each id."""
    first: dict[str, ServedEvent] = {}
    for event in events:
        if event.event_id in fresh:
            first.setdefault(event.event_id, event)
    return list(first.values())


def serving_of(request: Request) -> Serving:
    """Return the service that a request came to."""
    serving: Serving = request.app.state.serving
    return serving
