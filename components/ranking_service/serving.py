"""One process's service: what the routes share, from its start to its end."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from starlette.requests import Request

from components.feedback.following import ForgottenUsers
from components.feedback.log import FeedbackLog, Taken
from components.feedback.records import ServedEvent, ServedList
from components.ranking_service.admission import Limits, Turn
from components.ranking_service.live import Live
from components.ranking_service.measures import Measures
from components.ranking_service.opening import Opening
from components.ranking_service.reloading import Reloading
from components.ranking_service.sessions import Sessions
from components.ranking_service.settings import ServiceSettings


class Serving:
    """``live`` is replaced whole, and is None for as long as there is nothing to rank with."""

    def __init__(self, settings: ServiceSettings, limits: Limits, measures: Measures) -> None:
        """Open nothing yet.

        Raises:
            ConfigurationError: no run has made a home there.
        """
        self.live: Live | None = None
        self.turn = Turn(limits)
        self.sessions = Sessions()
        self.measures = measures
        self._opening = Opening(settings, self.sessions)
        self.reloading = Reloading(self._opening, self._put, self._follow)
        self._log: FeedbackLog | None = None
        self._home = settings.home
        self._forgotten: ForgottenUsers | None = None

    def start(self) -> None:
        """Open what was promoted, and begin to log and to follow; nothing that is missing stops it."""
        self._forgotten = ForgottenUsers(self._home)
        self._log = FeedbackLog(self._home.feedback)
        self.reloading.start()

    def stop(self) -> None:
        """Put everything that was shown on disk."""
        if self._log is not None:
            self._log.close()
        self.reloading.stop()
        self._opening.keep_time()
        if self._forgotten is not None:
            self._forgotten.close()

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
        return self._opening.clock()

    def show(self, served: ServedList) -> None:
        """Log a list that was shown, unless its user was forgotten."""
        if self.is_forgotten(served.user_id):
            return
        self.log.show(served)
        self.measures.clicks.show(served.request_id, served.arm, served.item_ids)

    async def take(self, events: Sequence[ServedEvent]) -> Taken:
        """Log events, all or none; they are on disk when it returns. Those of forgotten users are let go.

        Raises:
            EventsRefusedError: they could not be put on disk.
        """
        kept = [event for event in events if not self.is_forgotten(event.user_id)]
        taken = await self.log.take(kept)
        taken = replace(taken, accepted=taken.accepted + len(events) - len(kept))
        for event in kept:
            if event.event_id in taken.fresh:
                self.measures.clicks.tell(event.event_type, event.request_id, event.item_id)
        return taken

    def is_forgotten(self, user_id: str) -> bool:
        """Whether a user must be met as a stranger of whom nothing is kept."""
        return self._forgotten is not None and self._forgotten.is_forgotten(user_id)

    def _follow(self) -> None:
        self._opening.follow_time()
        if self._forgotten is not None:
            self._forgotten.follow(self.sessions.drop)

    def _put(self, live: Live) -> None:
        self.live = live


def serving_of(request: Request) -> Serving:
    """Return the service that a request came to."""
    found: Serving = request.app.state.serving
    return found
