"""Writing sessions and shown lists to the online store, from where other processes have them within 200 ms."""

import logging
import threading
import time
from collections.abc import Callable

from components.contracts.errors import RankloopError
from components.home.trouble_log import TroubleLog
from components.ranking_service.answering.sessions import Sessions
from components.ranking_service.telemetry.shown_lists import ShownLists
from feature_repo.packed_online_store.client import PackedClient

WRITE_SECONDS = 0.1
STOP_SECONDS = 5.0
log = logging.getLogger("bentoml.rankloop.sessions")


class SessionWriter:
    """A thread of its own: no bundle that is opened delays a session, nor a bucket that is slow for a while."""

    def __init__(
        self,
        sessions: Sessions,
        shown: ShownLists,
        client: Callable[[], PackedClient | None],
        drop_forgotten: Callable[[], None],
    ) -> None:
        """Write nothing yet.

        Args:
            client: gives the store that is live, None while nothing is.
            drop_forgotten: drops all users who were forgotten by now; nothing is written while it fails.
        """
        self._sessions, self._shown, self._client, self._drop_forgotten = sessions, shown, client, drop_forgotten
        self._troubles = TroubleLog(log)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="session-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what the store still lacks, unless that takes long, and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        ends = time.monotonic() + STOP_SECONDS
        while self._write() and time.monotonic() < ends:
            pass

    def _follow(self) -> None:
        while not self._stopping.wait(WRITE_SECONDS):
            self._write()

    def _write(self) -> bool:
        """Write some sessions, and say whether the store lacks less now.

        A failure is logged once for as long as it stays the same, and never ends the thread.
        """
        client, unsettled, trouble, is_unexpected = self._client(), self._sessions.unsettled, None, False
        if client is None:
            return False
        written = 0
        try:
            if unsettled or self._shown.waiting:
                self._drop_forgotten()
            written = self._sessions.write(client) + self._shown.write(client)
        except (RankloopError, OSError) as error:
            trouble = f"sessions: {error}"
        except Exception as error:
            trouble, is_unexpected = f"sessions: {error!r}", True
        self._troubles.report("sessions", trouble, ended="sessions: good again", exc_info=is_unexpected)
        return written > 0 or self._sessions.unsettled < unsettled
