"""One process's service: what the routes share, from its start to its end."""

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Lock

from starlette.requests import Request

from components.contracts.errors import ConfigurationError
from components.feedback.following import Follower, LastKnown
from components.feedback.log import FeedbackLog, Taken
from components.feedback.reading import last_events
from components.feedback.records import ServedEvent, ServedList
from components.ranking_service.admission import Limits, Turn
from components.ranking_service.live import Live
from components.ranking_service.measures import Measures
from components.ranking_service.opening import Opening
from components.ranking_service.reloading import Reloading
from components.ranking_service.sessions import Sessions, session_events
from components.ranking_service.settings import ServiceSettings
from components.ranking_service.unkept import Unkept

MOST_UNTOLD = 20_000
log = logging.getLogger("bentoml.rankloop.serving")


class Serving:
    """``live`` is replaced whole, and is None for as long as there is nothing to rank with."""

    def __init__(self, settings: ServiceSettings, limits: Limits, measures: Measures) -> None:
        """Open nothing yet.

        Raises:
            ConfigurationError: no run has made a home there, or its tombstones cannot be read.
        """
        self.live: Live | None = None
        self.turn = Turn(limits)
        self.measures = measures
        self._known = LastKnown(settings.home.tombstones)
        self._unkept = Unkept(settings.home, self._known)
        self.sessions = Sessions(self._unkept)
        self._opening = Opening(settings, self.sessions, self._known)
        self.reloading = Reloading(self._opening, self._put, self._follow)
        self._log: FeedbackLog | None = None
        self._home = settings.home
        self._follower: Follower | None = None
        self._settling = 0  # the round of the log at whose end nothing of forgotten users is under way
        self._putting = Lock()
        self._takings: set[asyncio.Task[Taken]] = set()
        self._teller = ThreadPoolExecutor(1, "sessions")  # its own: no slow reader of the store is waited for
        self._untold: deque[ServedEvent] = deque(maxlen=MOST_UNTOLD)
        """Events on disk that sessions may not know: of a process that was killed, or taken while nothing was live."""

    def start(self) -> None:
        """Open what was promoted, and begin to log and to follow; nothing that is missing stops it."""
        self._follower = Follower(self._home, self._known)
        self._log = FeedbackLog(self._home.feedback, forgotten=self._known)
        try:
            self._untold.extend(last_events(self._home, MOST_UNTOLD))
        except OSError as error:
            log.warning("sessions begin without the last events: the journal cannot be read (%s)", error)
        try:
            self._unkept.follow()
        except ConfigurationError as error:
            log.warning("the service begins with the usual words for nobody alone: %s", error)
        self.reloading.start()

    def stop(self) -> None:
        """Put everything that was shown on disk."""
        self._teller.shutdown()
        if self._log is not None:
            self._log.close()
        self.reloading.stop()
        self._opening.time.keep()
        if self._follower is not None:
            self._follower.close()

    @property
    def log(self) -> FeedbackLog:
        """The feedback log of a service that was started."""
        assert self._log is not None, "the service was not started"
        return self._log

    def now(self) -> datetime:
        """The home's present moment.

        Raises:
            StoreError: it is not known yet, for the store could not be reached since the start.
        """
        return self._opening.time()

    def show(self, served: ServedList) -> None:
        """Log a list that was shown."""
        if self.log.show(served):
            self.measures.clicks.show(served.request_id, served.arm, served.item_ids)

    async def take(self, events: Sequence[ServedEvent]) -> Taken:
        """Log events, all or none; they are on disk when it returns.

        It goes on when whoever waits for it is cancelled: what gets to the disk late is known to the next list too.

        Raises:
            EventsRefusedError: they could not be put on disk.
        """
        taking = asyncio.create_task(self._take(events))
        self._takings.add(taking)
        taking.add_done_callback(self._has_taken)
        return await asyncio.shield(taking)

    async def _take(self, events: Sequence[ServedEvent]) -> Taken:
        taken = await self.log.take(events)
        fresh = _once(events, taken.fresh)
        for event in fresh:
            self.measures.clicks.tell(event.event_type, event.request_id, event.item_id)
        await asyncio.get_running_loop().run_in_executor(self._teller, self._remember, fresh)
        return taken

    def _has_taken(self, taking: "asyncio.Task[Taken]") -> None:
        self._takings.discard(taking)
        if not taking.cancelled():
            taking.exception()  # who waits is told; who was cancelled has been told to send again

    def _remember(self, events: Sequence[ServedEvent]) -> None:
        """Let the next list of these users know."""
        with self._putting:
            live = self.live
            if live is None:
                self._untold.extend(events)
                return
        self.sessions.add(session_events(events, live.codes), live.champion.rows.stored_sessions)

    def _tell(self, live: Live) -> None:
        """Let sessions know what they may not: an event that they know counts once."""
        untold = []
        while self._untold:
            untold.append(self._untold.popleft())
        self.sessions.restore(session_events(untold, live.codes), live.champion.rows.stored_sessions)

    def _follow(self) -> None:
        self._opening.time.follow()
        if self._follower is not None:
            self._follower.follow(self._drop_forgotten, lambda: self.log.rounds >= self._settling)
        self._unkept.follow()

    def _drop_forgotten(self) -> None:
        """Let go of who was forgotten; the log and the sessions take nothing of them from now on."""
        self.sessions.drop_forgotten()
        self._settling = self.log.rounds + 1

    def _put(self, live: Live) -> None:
        with self._putting:
            self.live = live
        self._tell(live)


def _once(events: Sequence[ServedEvent], fresh: Collection[str]) -> list[ServedEvent]:
    """Events that are new, the first of each id."""
    first: dict[str, ServedEvent] = {}
    for event in events:
        if event.event_id in fresh:
            first.setdefault(event.event_id, event)
    return list(first.values())


def serving_of(request: Request) -> Serving:
    """Return the service that a request came to."""
    found: Serving = request.app.state.serving
    return found
