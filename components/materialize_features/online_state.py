"""Whether the online store holds what a run wrote: every row of the newest snapshot, complete and no older."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from components.contracts.urls import public_url
from components.features.snapshots.sets import VIEWS, FeatureSet
from components.features.snapshots.snapshot import snapshot_day
from components.features.views.view import SNAPSHOT_DAY
from components.home.layout import Home
from components.materialize_features.packed_rows import packed_view
from feature_repo.online_notes import read_note
from feature_repo.packed_online_store.backends.lmdb_compaction import DATA
from feature_repo.packed_online_store.backends.lmdb_environments import embedded_folder
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.inventory import Inventory
from feature_repo.packed_online_store.views import PackedView

ROWS_AT_ONCE = 2_000


@dataclass(frozen=True)
class ViewRows:
    """The rows of a view that should be online, and how many are."""

    expected: int
    present: int


def gap(home: Home, client: PackedClient, feature_set: FeatureSet) -> str | None:
    """Say how the store differs from what a run wrote; None when it does not.

    Raises:
        StoreError: the store cannot be reached.
    """
    embedded, place = embedded_folder(home.online_url), public_url(home.online_url)
    if embedded is not None and not (embedded / DATA).exists():
        return "it is not there"
    note, stored = read_note(home, feature_set.revision), client.inventory()
    if note is None or note.inventory.digest != feature_set.digest:
        return "the newest snapshot was never put there"
    if note.place != place:
        return f"the rows were put into {note.place}"
    rows = {view: _online_rows(client, packed_view(feature_set, view), feature_set) for view in VIEWS}
    difference = _difference(note.inventory, stored, client, feature_set)
    if difference is None and all(one.present == one.expected for one in rows.values()):
        return None
    return f"{difference}; {_counted(rows)}" if difference else _counted(rows)


def _counted(rows: Mapping[str, ViewRows]) -> str:
    counts = [f"{one.present:,} of {one.expected:,} {view}" for view, one in rows.items()]
    return f"{' and '.join(counts)} are there"


def _difference(
    noted: Inventory, stored: Inventory | None, client: PackedClient, feature_set: FeatureSet
) -> str | None:
    """Say what differs beside the rows."""
    if stored is None:
        return "the mark of the run that wrote its rows is gone"
    if stored.token != noted.token:
        return "another home's run wrote into it"
    records = client.backend.read([client.namespace(view).catalog for view in VIEWS])
    if records != [packed_view(feature_set, view).to_json() for view in VIEWS]:
        return "its records of the views are gone"
    if client.catalogue() is None:
        return "the words for its products are gone"
    return None


def _online_rows(client: PackedClient, view: PackedView, feature_set: FeatureSet) -> ViewRows:
    ids = feature_set.ids(view.name, feature_set.days[-1])
    present = sum(_newest_rows(client, view, feature_set, part) for part in _parts(ids))
    return ViewRows(len(ids), present)


def _newest_rows(client: PackedClient, view: PackedView, feature_set: FeatureSet, ids: pa.Array) -> int:
    rows = client.read(view, ids.to_pylist(), damaged_is_missing=True)
    days = rows.matrix([SNAPSHOT_DAY])[:, 0]
    return int(np.count_nonzero(days >= snapshot_day(feature_set.days[-1])))


def _parts(ids: pa.Array) -> Iterator[pa.Array]:
    return (ids.slice(at, ROWS_AT_ONCE) for at in range(0, len(ids), ROWS_AT_ONCE))
