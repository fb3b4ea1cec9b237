"""The home's online store, as a service opens it: clients by the home's clock, and the revisions that have rows."""

from contextlib import closing

from components.contracts.errors import BundleError, StoreError
from components.home.shop_note import run_command
from components.ranking_service.answering.online_rows import OnlineRows
from components.ranking_service.live.clocks import FollowingClock
from components.ranking_service.settings import ServiceSettings
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.clock import wall_clock
from feature_repo.project import PROJECT

BULK_SECONDS = 2.0  # for a call that reads many rows: a store that does not answer holds nothing up for longer
ITEMS = "item_features"


class HomeStore:
    """Opens clients of one home's store; ``time`` is the home's, which the store tells."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._home, self._deadline = settings.home, settings.live.store_deadline_ms / 1000
        self.advice = f"{run_command(settings.home)} writes them again"
        """What brings rows into a store that has none, in words."""
        self.time = FollowingClock(settings.home.feedback, lambda: self._client("", bounded=True), self.advice)

    def rows(self, revision: str) -> OnlineRows:
        """Open the rows of a feature revision.

        Raises:
            BundleError: there are none of it.
            StoreError: the store cannot be reached.
        """
        client = self._client(revision)
        if not client.has(ITEMS):
            client.close()
            raise BundleError(
                f"{client.backend.url}: found no rows of feature revision {revision}, which the bundle was made for;"
                f" {self.advice}, unless it was made by other code: then promote another bundle"
            )
        return OnlineRows(client, self._client(revision, bounded=True))

    def newest_revision(self) -> str:
        """Return the feature revision whose item rows are the newest.

        Raises:
            StoreError: there are no rows of any, or the store cannot be reached.
        """
        with closing(self._client("")) as client:
            revisions = client.revisions(ITEMS)
        if not revisions:
            raise StoreError(f"{client.backend.url}: found no item rows, expected some: {self.advice}")
        return max(revisions, key=lambda revision: (self._written_at(revision), revision))

    def _written_at(self, revision: str) -> int:
        """Event time of the newest item row of a revision, which its mark begins with."""
        with closing(self._client(revision)) as client:
            mark = client.written(ITEMS)
        return int.from_bytes((mark or b"")[:8], "little", signed=True)

    def _client(self, revision: str, bounded: bool = False) -> PackedClient:
        return PackedClient.open(
            self._home.online_url,
            project=PROJECT,
            revision=revision,
            clock=self.time.clock or wall_clock,
            deadline_seconds=self._deadline if bounded else max(self._deadline, BULK_SECONDS),
        )
