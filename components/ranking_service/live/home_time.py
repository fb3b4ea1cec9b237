"""The home's present moment, as the service tells it once the store was asked where the home stands."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from components.contracts.errors import StoreError
from components.feedback.clock import ServiceClock, is_kept
from feature_repo.packed_online_store.client import PackedClient

LONG_AGO = datetime(1, 1, 2, tzinfo=UTC)  # no clock goes back to it


class HomeTime:
    """Tells the time: that of the service's last run goes on, until the store says something newer.

    ``clock`` is None in the service's first run here for as long as the store could not be asked.
    """

    def __init__(self, folder: Path, open_client: Callable[[], PackedClient], advice: str) -> None:
        """Go on from what the feedback folder (``home.feedback``) holds; the store is asked with a client of its own.

        ``advice`` says what brings rows into a store that has none.

        Raises:
            ConfigurationError: what the folder holds cannot be read.
        """
        self._folder, self._open_client, self._advice = folder, open_client, advice
        self.clock = ServiceClock(folder, LONG_AGO) if is_kept(folder) else None

    def __call__(self) -> datetime:
        """Return the present moment.

        Raises:
            StoreError: it is not known yet.
        """
        if self.clock is None:
            raise StoreError("the store could not be asked for the home's time yet")
        return self.clock()

    def advance(self) -> None:
        """Follow the home to where its store stands; while that says nothing, the clock that there is goes on.

        Raises:
            StoreError: there is no clock to go on with, or the store has no rows.
        """
        try:
            with closing(self._open_client()) as client:
                stored = client.stored_clock()
        except StoreError:
            if self.clock is None:
                raise
            return
        if stored is None:
            if self.clock is None:
                raise StoreError(f"{client.backend.url}: found no rows, expected some: {self._advice}")
            return
        if self.clock is None:
            self.clock = ServiceClock(self._folder, stored.as_of, stored.anchored_at)
            return
        if stored.back_from is not None:
            self.clock.go_back(stored.as_of, stored.back_from)
        self.clock.advance(stored.as_of, stored.anchored_at)

    def follow(self) -> None:
        """Follow the machine's clock, and write down what the disk refused before."""
        if self.clock is not None:
            self.clock.follow()

    def keep(self) -> None:
        """Write the present moment down, so that no later service falls behind it."""
        if self.clock is not None:
            self.clock.keep()
