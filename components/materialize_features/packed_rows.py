"""The newest snapshot of a set as rows of the packed online store, written without Feast."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pyarrow.parquet as pq

from components.contracts.home import Home
from components.features.sets import VIEWS, FeatureSet
from components.features.snapshot import snapshot_day
from components.features.views import CREATED_TIMESTAMP, EVENT_TIMESTAMP, SNAPSHOT_DAY
from feature_repo.packed_online_store.client import PackedClient, WriteReport
from feature_repo.packed_online_store.clock import HomeClock
from feature_repo.packed_online_store.layout import PackedSchema
from feature_repo.packed_online_store.views import PackedView
from feature_repo.project import PROJECT

SAMPLE = 50
NOT_FEATURES = (EVENT_TIMESTAMP, CREATED_TIMESTAMP)


def packed_view(chosen: FeatureSet, view: str) -> PackedView:
    """How rows of a view are packed: as Feast's plug-in packs the same view."""
    columns = pq.read_schema(chosen.newest(view))
    entity = columns.names[0]
    schema = PackedSchema.from_arrow(columns, exclude=(entity, *NOT_FEATURES))
    return PackedView(view, schema, (entity,), timedelta(days=chosen.ttl_days))


@contextmanager
def open_client(home: Home, chosen: FeatureSet) -> Iterator[PackedClient]:
    """Open the home's online store at a set's revision; its clock stands at the set's as-of."""
    clock = HomeClock(chosen.as_of)
    client = PackedClient.open(home.online_url, project=PROJECT, revision=chosen.revision, clock=clock)
    try:
        yield client
    finally:
        client.close()


def write_newest(client: PackedClient, chosen: FeatureSet) -> dict[str, WriteReport]:
    """Write all rows of the newest snapshot, and check that they read back as written.

    Raises:
        StoreError: rows came out changed, or the store cannot be written.
    """
    reports = {}
    for view in VIEWS:
        rows = pq.read_table(chosen.newest(view))
        codes = chosen.versions.get("item_codes", 0)
        reports[view] = client.write_table(
            packed_view(chosen, view), rows, created=CREATED_TIMESTAMP, item_codes=codes, verify=True
        )
    return reports


def advance_clock(client: PackedClient, chosen: FeatureSet) -> None:
    """Move the store's clock to the set's as-of, unless it stands later already."""
    stored = client.stored_clock()
    if stored is None or stored.as_of < chosen.as_of:
        client.set_clock(HomeClock(chosen.as_of))


def stands(client: PackedClient, chosen: FeatureSet) -> bool:
    """Whether the store holds the newest snapshot's rows, or newer ones, judged by a few of them."""
    for view in VIEWS:
        if chosen.revision not in client.revisions(view):
            return False
        packed = packed_view(chosen, view)
        ids = pq.read_table(chosen.newest(view), columns=list(packed.join_keys)).column(0)
        few = ids.take(list(range(0, len(ids), max(1, len(ids) // SAMPLE))))
        days = client.read_matrix(packed, few.to_pylist(), [SNAPSHOT_DAY])
        if not (days >= snapshot_day(chosen.days[-1])).all():
            return False
    return True
