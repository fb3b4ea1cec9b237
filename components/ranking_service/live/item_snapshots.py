"""The items that answers rank: read from the store into memory, once for every bundle of one feature revision."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from components.contracts.errors import RankloopError, StoreError
from components.home.layout import Home
from components.home.tombstones import TombstoneView
from components.ranking.candidates import CandidatePool, candidate_pool
from components.ranking_service.answering.catalogue import Catalogue, read_catalogue
from components.ranking_service.answering.online_rows import OnlineRows, StoredItems
from components.ranking_service.live.row_counts import RowCount, RowCounts
from components.ranking_service.live.store import HomeStore
from components.shop.settings import Candidates


@dataclass
class ItemSnapshot:
    """The items of one feature revision as they were last read, with their words.

    ``trouble`` says why newer rows were not taken; ``refused`` is the mark of these.
    """

    rows: OnlineRows
    items: StoredItems
    catalogue: Catalogue
    counts: RowCounts
    refused: bytes | None = b""
    trouble: str | None = None
    candidate_pools: dict[str, CandidatePool] = field(default_factory=dict)

    @property
    def lacks_items(self) -> bool:
        """Whether the store lost item rows."""
        return self.counts.is_short("item_features")

    def candidate_pool(self, limits: Candidates) -> CandidatePool:
        """What the candidates of all users share, computed once for bundles of equal limits."""
        key = limits.model_dump_json()
        if key not in self.candidate_pools:
            self.candidate_pools[key] = candidate_pool(self.items.rows, limits)
        return self.candidate_pools[key]


class ItemSnapshots:
    """Snapshots by feature revision, read again when a run has written their rows again."""

    def __init__(self, home: Home, store: HomeStore, forgotten: TombstoneView) -> None:
        self._home, self._store, self._forgotten = home, store, forgotten
        self._snapshots: dict[str, ItemSnapshot] = {}

    def snapshot(self, revision: str) -> ItemSnapshot:
        """Return the items of a revision as they are now; rows that the store has lost since are kept.

        Raises:
            BundleError: there are no rows of the revision.
            StoreError: they cannot be read, and none were read before.
        """
        known = self._snapshots.get(revision)
        if known is None:
            self._snapshots[revision] = self._read(revision, self._store.rows(revision))
        elif _is_rewritten(known):
            self._snapshots[revision] = self._read_again(revision, known)
        elif known.catalogue.trouble:
            self._snapshots[revision] = replace(known, catalogue=self._catalogue(known.rows, known.items))
        return self._snapshots[revision]

    def count_rows(self, revision: str) -> None:
        """Count the rows of a revision that are still there.

        Raises:
            StoreError: the store cannot be read.
        """
        snapshot = self._snapshots.get(revision)
        if snapshot is not None:
            snapshot.rows.items_mark()  # its deadline is short: a store that does not answer ends the count here
            snapshot.counts.look(snapshot.rows.client)

    def row_counts(self, revision: str) -> Mapping[str, RowCount]:
        """Return the result of the last count, by view."""
        snapshot = self._snapshots.get(revision)
        return snapshot.counts.counts if snapshot is not None else {}

    def keep_only(self, revisions: Collection[str]) -> None:
        """Close the store of all other revisions."""
        for revision in self._snapshots.keys() - set(revisions):
            self._snapshots.pop(revision).rows.close()

    def _read(self, revision: str, rows: OnlineRows) -> ItemSnapshot:
        counts = RowCounts(self._home, revision, self._forgotten, self._store.advice)
        items = rows.items()
        with suppress(RankloopError):  # they are counted again every few seconds
            counts.look(rows.client)
        rows.lacks_users = lambda: counts.is_short("user_features")
        return ItemSnapshot(rows, items, self._catalogue(rows, items), counts)

    def _catalogue(self, rows: OnlineRows, items: StoredItems) -> Catalogue:
        return read_catalogue(rows.client, items.rows, self._store.advice)

    def _read_again(self, revision: str, known: ItemSnapshot) -> ItemSnapshot:
        """Return the snapshot to go on with: the known one for as long as the store has lost items that it holds."""
        known.refused = known.rows.items_mark()
        before = len(known.items.rows)
        try:
            fresh = self._read(revision, known.rows)
        except StoreError as error:
            known.trouble = f"{error}; the {before:,} item rows read before are kept: {self._store.advice}"
            return known
        now = len(fresh.items.rows)
        if not fresh.lacks_items or now >= before:
            return fresh
        known.counts = fresh.counts
        known.trouble = f"found {now:,} of {before:,} item rows; those read before are kept: {self._store.advice}"
        return known


def _is_rewritten(snapshot: ItemSnapshot) -> bool:
    """Whether the rows of a snapshot were written again; a store that does not answer changes nothing."""
    try:
        return snapshot.rows.items_mark() not in (snapshot.items.mark, snapshot.refused)
    except StoreError:
        return False
