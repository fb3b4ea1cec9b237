"""Following what is promoted, published, materialized and tried: a new ``Live`` is opened aside, then put in place."""

import gc
import logging
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

from components.bundles.store import LATEST, model_folder
from components.contracts.errors import RankloopError, StoreError
from components.experiments.experiment import experiment_file
from components.home.presence import FileStamp, file_stamp
from components.home.trouble_log import TroubleLog
from components.ranking_service.live.opening import Opening
from components.ranking_service.live.state import Live

LOOK_SECONDS = 1.0
COUNT_TURNS = 5  # looks at the home from one count of the online rows to the next
TRY_AGAIN_SECONDS = 5.0  # a bundle that cannot be opened may be repaired in its place
WRITE_SECONDS = 0.2
LAST_SECONDS = 5.0  # for an opening that is under way when the service stops
log = logging.getLogger("bentoml.rankloop.reloading")
Signature = tuple[object, ...]


class Reloading:
    """A thread that looks every second and hands over a new ``Live``; one that cannot be opened changes nothing."""

    def __init__(self, opening: Opening, put: Callable[[Live], None], often: Callable[[], None]) -> None:
        """``put`` takes a new ``Live``; it and ``often``, before sessions are written, are called on the thread."""
        self._opening, self._put, self._often = opening, put, often
        self._live: Live | None = None
        self._seen: Signature | None = None
        self._troubles = TroubleLog(log)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="reloading", daemon=True)
        self._try_again = math.inf
        self.reloads = 0
        self.refused = 0

    def start(self) -> None:
        """Open what there is now, and follow from then on."""
        self._do("home", self._look)
        self._do("row counts", self._count_rows)
        self._thread.start()

    def stop(self) -> None:
        """Stop, write the sessions that are not in the store yet, and let go of it.

        A store that stands still may hold an opening up for half a minute; that is not waited for, nor closed.
        """
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(LAST_SECONDS)
        ends = time.monotonic() + LAST_SECONDS
        while self._do("sessions", self._write_sessions) and time.monotonic() < ends:
            pass
        if not self._thread.is_alive():
            self._opening.close()

    def _follow(self) -> None:
        turns = max(1, round(LOOK_SECONDS / WRITE_SECONDS))
        turn = 0
        while not self._stopping.wait(WRITE_SECONDS):
            self._do("forgotten users", self._often)
            self._do("sessions", self._write_sessions)
            turn = (turn + 1) % (turns * COUNT_TURNS)
            if turn % turns == 0:
                self._do("home", self._look)
            if turn == 0:
                self._do("row counts", self._count_rows)

    def _do(self, about: str, duty: Callable[[], object]) -> object:
        """Do what is done again and again; what goes wrong is logged once, and never ends the thread."""
        try:
            done = duty()
            self._say(about, None)
            return done
        except (RankloopError, OSError) as error:
            self._say(about, str(error))
        except Exception as error:
            self._say(about, repr(error), unexpected=True)
        return None

    def _look(self) -> None:
        seen = self._signature()
        if seen != self._seen or time.monotonic() > self._try_again:
            self._open()
            self._seen = seen

    def _open(self) -> None:
        live = self._opening.live(self._live)
        self._try_again = time.monotonic() + TRY_AGAIN_SECONDS if live.trouble else math.inf
        if self._live is not None and live.is_like(self._live):
            return
        for about in ("champion", "challenger", "baseline", "experiment", "catalogue", "online rows"):
            self._say(about, live.trouble.get(about))
        self.refused += sum(about in ("champion", "experiment") for about in live.trouble)
        self._live = live
        self._put(live)
        self.reloads += 1
        gc.freeze()  # what lives on is never looked through again: a full collection would hold up answers
        log.info("serving %s", {arm: found.bundle.digest for arm, found in live.arms.items()})

    def _signature(self) -> Signature:
        """What tells that something was promoted, published, tried or materialized since."""
        home, environment = self._opening.settings.home, self._opening.settings.environment
        store = model_folder(home.models, self._opening.shop, LATEST).parent
        files = (home.environments / f"{environment}.json", store / LATEST, experiment_file(home, environment))
        return (*map(_stamp, files), self._items_mark())

    def _items_mark(self) -> object:
        """The mark of the live item rows; the last one for as long as the store does not tell."""
        if self._live is None:
            return "not asked"  # unlike the mark of a store that lost it
        try:
            mark = self._opening.items_mark(self._live)
        except StoreError as error:
            self._say("item rows", str(error))
            return self._seen[-1] if self._seen else None
        self._say("item rows", None)
        return mark

    def _count_rows(self) -> None:
        if self._live is not None:
            self._opening.count_rows(self._live)

    def _write_sessions(self) -> int:
        return 0 if self._live is None else self._opening.sessions.write(self._live.champion.rows.bounded)

    def _say(self, about: str, trouble: str | None, unexpected: bool = False) -> None:
        """Log a trouble once for as long as it stays the same, and its end; an unexpected one with its traceback."""
        message = f"{about}: {trouble}" if trouble else None
        self._troubles.report(about, message, ended=f"{about}: good again", exc_info=unexpected)


def _stamp(path: Path) -> FileStamp | None:
    try:
        return file_stamp(path)
    except OSError:
        return None
