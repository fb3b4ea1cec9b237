"""The newest snapshot of a set as rows of the packed online store, written without Feast."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pyarrow.parquet as pq

from components.contracts.errors import StoreError
from components.features.snapshots.sets import VIEWS, FeatureSet
from components.features.views.view import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from components.home.layout import Home
from components.home.storage.held import check_held
from feature_repo.online_notes import write_note
from feature_repo.packed_online_store.arrow_columns import packed_schema
from feature_repo.packed_online_store.client import PackedClient, WriteReport
from feature_repo.packed_online_store.clock import StoredClock
from feature_repo.packed_online_store.inventory import Inventory
from feature_repo.packed_online_store.keys import clock_key
from feature_repo.packed_online_store.views import PackedView
from feature_repo.packed_online_store.writing import write_view
from feature_repo.project import PROJECT

NOT_FEATURES = (EVENT_TIMESTAMP, CREATED_TIMESTAMP)


def packed_view(feature_set: FeatureSet, view: str) -> PackedView:
    """Return how rows of a view are packed: as Feast's plug-in packs the same view."""
    columns = pq.read_schema(feature_set.newest(view))
    entity = columns.names[0]
    schema = packed_schema(columns, exclude=(entity, *NOT_FEATURES))
    return PackedView(view, schema, (entity,), timedelta(days=feature_set.ttl_days))


@contextmanager
def open_client(home: Home, feature_set: FeatureSet, deadline_seconds: float | None = None) -> Iterator[PackedClient]:
    """Open the home's online store at a set's revision; its clock stands at the set's as-of.

    deadline_seconds: how long a server may take to answer a call; without it, as long as a bulk write may take.
    """
    client = PackedClient.open(
        home.online_url,
        project=PROJECT,
        revision=feature_set.revision,
        clock=StoredClock(feature_set.as_of),
        deadline_seconds=deadline_seconds,
        before_write=lambda: check_held(home.root),
    )
    try:
        yield client
    finally:
        client.close()


def write_newest(client: PackedClient, feature_set: FeatureSet) -> dict[str, WriteReport]:
    """Write all rows of the newest snapshot, and check that they read back as written.

    Raises:
        StoreError: rows came out changed, or the store cannot be written.
    """
    reports = {}
    for view in VIEWS:
        rows = pq.read_table(feature_set.newest(view))
        codes = feature_set.versions.get("item_codes", 0)
        reports[view] = write_view(
            client, packed_view(feature_set, view), rows, created=CREATED_TIMESTAMP, item_codes=codes, verify=True
        )
    return reports


def leave_inventory(home: Home, client: PackedClient, feature_set: FeatureSet) -> None:
    """Note in the store and in the home what was put online."""
    rows = {view: pq.read_metadata(feature_set.newest(view)).num_rows for view in VIEWS}
    inventory = Inventory(feature_set.digest, secrets.token_hex(8), rows)
    client.set_inventory(inventory)
    write_note(home, feature_set.revision, inventory)


def advance_clock(client: PackedClient, feature_set: FeatureSet) -> None:
    """Move the store's clock to the set's as-of, unless it stands later already."""
    stored = _stored_clock(client)
    if stored is None or stored.as_of < feature_set.as_of:
        left = stored.back_from if stored and stored.back_from and feature_set.as_of < stored.back_from else None
        client.set_clock(StoredClock(feature_set.as_of, back_from=left))


def set_clock_back(client: PackedClient, feature_set: FeatureSet) -> bool:
    """Set the store's clock back to the set's as-of; False where it stands no later."""
    stored = _stored_clock(client)
    if stored is None or stored.as_of <= feature_set.as_of:
        return False
    client.set_clock(StoredClock(feature_set.as_of, back_from=stored.as_of))
    return True


def _stored_clock(client: PackedClient) -> StoredClock | None:
    """Return the store's clock; None where something else stands in its place."""
    record = client.backend.read([clock_key(client.project)])[0]
    with suppress(StoreError):
        return None if record is None else StoredClock.from_json(record)
    return None
