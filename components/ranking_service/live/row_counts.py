"""How many rows should be online and how many are: a store that lost some is noticed while it is served from.

What a run put there stands in the home's note and in the store's own inventory. A sample of the ids is read again and
again; only where some are missing are more of them looked at, so that a whole store costs next to nothing.
"""

import logging
import random
from collections.abc import Container
from dataclasses import dataclass, replace

import pyarrow as pa

from components.contracts.errors import FeatureError, StoreError
from components.features.snapshots.sets import VIEWS, FeatureSet, read_set
from components.home.layout import Home
from components.home.trouble_log import TroubleLog
from feature_repo.online_notes import OnlineNote, read_note
from feature_repo.packed_online_store.client import PackedClient

USUALLY_READ = 100
READ_WHEN_SHORT = 20_000
ROWS_AT_ONCE = 1_000
log = logging.getLogger("bentoml.rankloop.row_counts")


@dataclass(frozen=True)
class RowCount:
    """Rows of a view: what a run put online, and how many of them can be read, estimated from a sample."""

    expected: int
    there: int

    @property
    def is_short(self) -> bool:
        """Say whether rows are missing."""
        return self.there < self.expected


class RowCounts:
    """Counts the rows of one feature revision; one thread looks, any thread reads what it came to."""

    def __init__(self, home: Home, revision: str, forgotten: Container[str], advice: str) -> None:
        """Know nothing yet. Rows of who is ``forgotten`` are not missed; ``advice`` says what brings rows back."""
        self._home, self._revision, self._forgotten, self._advice = home, revision, forgotten, advice
        self._set: FeatureSet | None = None
        self._troubles = TroubleLog(log)
        self.counts: dict[str, RowCount] = {}

    def is_short(self, view: str) -> bool:
        """Say whether rows of a view are missing, as far as is known."""
        return view in self.counts and self.counts[view].is_short

    def look(self, client: PackedClient) -> None:
        """Count again; without a note of what was put online nothing is expected.

        Raises:
            StoreError: the store cannot be read.
        """
        note = read_note(self._home, self._revision)
        if note is None:
            self.counts = {}
            return
        stored = client.inventory()
        is_ours = stored is not None and stored.token == note.inventory.token
        expected = stored.rows if stored is not None and is_ours else note.inventory.rows
        self.counts = {view: self._count(client, note, view, expected.get(view, 0), is_ours) for view in VIEWS}
        self._say(client)

    def _count(self, client: PackedClient, note: OnlineNote, view: str, expected: int, is_ours: bool) -> RowCount:
        ids = self._ids(note, view)
        if ids is None:
            return RowCount(expected, expected if is_ours else min(expected, len(client.entities(view).texts)))
        share = self._share(client, view, ids, USUALLY_READ)
        if share < 1:
            share = self._share(client, view, ids, READ_WHEN_SHORT)
        return RowCount(expected, expected if share == 1 else min(expected - 1, round(share * expected)))

    def _share(self, client: PackedClient, view: str, ids: pa.Array, size: int) -> float:
        """Return the share of some of the ids that have a row which can be read."""
        places = random.sample(range(len(ids)), min(size, len(ids)))
        chosen = [entity for entity in ids.take(places).to_pylist() if entity not in self._forgotten]
        try:
            known = replace(client.view(view), ttl=None)
        except StoreError:
            if client.backend.read([client.namespace(view).catalog])[0] is None:
                return 0.0
            raise
        there = 0
        for at in range(0, len(chosen), ROWS_AT_ONCE):
            there += int(client.read(known, chosen[at : at + ROWS_AT_ONCE], damaged_is_missing=True).found.sum())
        return there / len(chosen) if chosen else 1.0

    def _ids(self, note: OnlineNote, view: str) -> pa.Array | None:
        """Return the ids of the rows that were put online; None where their feature set is gone."""
        try:
            if self._set is None or self._set.digest != note.inventory.digest:
                self._set = read_set(self._home.features, note.inventory.digest)
            return self._set.ids(view, self._set.days[-1])
        except (FeatureError, OSError, pa.ArrowException):
            return None

    def _say(self, client: PackedClient) -> None:
        """Log a gap once for as long as it stays the same, and its end."""
        url, trouble = client.backend.url, None
        short = {view: count for view, count in self.counts.items() if count.is_short}
        if short:
            counts = " and ".join(f"{count.there:,} of {count.expected:,} {view}" for view, count in short.items())
            trouble = f"{url}: only {counts} rows are there; {self._advice}"
        self._troubles.report("rows", trouble, ended=f"{url}: all rows are there again")
