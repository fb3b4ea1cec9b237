"""Watching the home: whatever is promoted, published, tried or materialized gives a new ``LiveState``."""

import gc
import logging
import math
import threading
import time
from collections.abc import Callable

from components.bundles.store import LATEST, bundles_of
from components.contracts.errors import RankloopError, StoreError
from components.experiments.experiment import experiment_file
from components.home.storage.documents import Stamp, document_stamp
from components.home.storage.locations import Location
from components.home.trouble_log import TroubleLog
from components.ranking_service.live.loader import LiveLoader
from components.ranking_service.live.state import LiveState

WATCH_SECONDS = 1.0
COUNT_EVERY = 5  # looks at the home from one count of the online rows to the next
RETRY_SECONDS = 5.0  # a bundle that cannot be opened may be repaired in its place
FOLLOW_SECONDS = 0.2
STOP_SECONDS = 5.0  # for a load that is under way when the service stops
log = logging.getLogger("bentoml.rankloop.watcher")
Signature = tuple[object, ...]


class LiveWatcher:
    """A thread that looks at the home every second and hands over new states; a load that fails changes nothing."""

    def __init__(self, loader: LiveLoader, put: Callable[[LiveState], None], housekeep: Callable[[], None]) -> None:
        """``put`` takes a new state; it and ``housekeep``, a few times a second, are called on the thread."""
        self._loader, self._put, self._housekeep = loader, put, housekeep
        self._live: LiveState | None = None
        self._seen: Signature | None = None
        self._troubles = TroubleLog(log)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="live-watcher", daemon=True)
        self._retry_at = math.inf
        self.reloads = 0
        self.refused = 0

    def start(self) -> None:
        """Open what there is now, and follow from then on."""
        self._do("home", self._look)
        self._do("row counts", self._count_rows)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and close the store.

        A store that does not answer may delay a load for half a minute; that is not waited for, nor closed.
        """
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        if not self._thread.is_alive():
            self._loader.close()

    def _watch(self) -> None:
        passes = max(1, round(WATCH_SECONDS / FOLLOW_SECONDS))
        number = 0
        while not self._stopping.wait(FOLLOW_SECONDS):
            self._do("forgotten users", self._housekeep)
            number = (number + 1) % (passes * COUNT_EVERY)
            if number % passes == 0:
                self._do("home", self._look)
            if number == 0:
                self._do("row counts", self._count_rows)

    def _do(self, about: str, duty: Callable[[], object]) -> None:
        """Do a recurring duty; a failure is logged once and never ends the thread."""
        try:
            duty()
            self._say(about, None)
        except (RankloopError, OSError) as error:
            self._say(about, str(error))
        except Exception as error:
            self._say(about, repr(error), unexpected=True)

    def _look(self) -> None:
        seen = self._signature()
        if seen != self._seen or time.monotonic() > self._retry_at:
            self._open()
            self._seen = seen

    def _open(self) -> None:
        live = self._loader.load(self._live)
        self._retry_at = time.monotonic() + RETRY_SECONDS if live.trouble else math.inf
        if self._live is not None and live.is_like(self._live):
            return
        for about in ("champion", "challenger", "baseline", "experiment", "catalogue", "online rows"):
            self._say(about, live.trouble.get(about))
        self.refused += sum(about in ("champion", "experiment") for about in live.trouble)
        self._live = live
        self._put(live)
        self.reloads += 1
        gc.freeze()  # what lives on is never collected: a full collection would delay answers
        log.info("serving %s", {arm: recommender.bundle.digest for arm, recommender in live.arms.items()})

    def _signature(self) -> Signature:
        """Return what changes when something is promoted, published, tried or materialized."""
        settings, home = self._loader.settings, self._loader.settings.home
        latest = bundles_of(home.models, self._loader.shop) / LATEST
        documents = [latest, experiment_file(home, settings.environment)]
        if settings.bundle is None:
            documents.append(home.environments / f"{settings.environment}.json")
        return (*map(_stamp, documents), self._items_mark())

    def _items_mark(self) -> object:
        """Return the mark of the live item rows; the last one for as long as the store does not answer."""
        if self._live is None:
            return "not read"  # unlike None, the mark of a store that lost it
        try:
            mark = self._loader.items_mark(self._live)
        except StoreError as error:
            self._say("item rows", str(error))
            return self._seen[-1] if self._seen else None
        self._say("item rows", None)
        return mark

    def _count_rows(self) -> None:
        if self._live is not None:
            self._loader.count_rows(self._live)

    def _say(self, about: str, trouble: str | None, unexpected: bool = False) -> None:
        """Log a trouble once for as long as it stays the same, and its end; an unexpected one with its traceback."""
        message = f"{about}: {trouble}" if trouble else None
        self._troubles.report(about, message, ended=f"{about}: good again", exc_info=unexpected)


def _stamp(document: Location) -> Stamp | None:
    """Tell a document from the one that it replaces.

    Raises:
        ConfigurationError, StorageError: the bucket cannot be used, so that nothing is known to have changed.
    """
    try:
        return document_stamp(document)
    except OSError:
        return None
