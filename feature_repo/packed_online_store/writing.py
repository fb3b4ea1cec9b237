"""Writing a whole Arrow table at the speed of the store: the path of the materialize step."""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.arrow_columns import microseconds
from feature_repo.packed_online_store.backends.backend import STAMP, RowBatch
from feature_repo.packed_online_store.client import PackedClient, WriteReport
from feature_repo.packed_online_store.codec import RowStamps, encode_table
from feature_repo.packed_online_store.held_ids import hold_entities, long_entities
from feature_repo.packed_online_store.keys import table_keys
from feature_repo.packed_online_store.layout import NO_TIME
from feature_repo.packed_online_store.views import PackedView

MAX_BATCH_ROWS = 3_000
MAX_BATCH_BYTES = 4 << 20


def write_view(
    client: PackedClient,
    view: PackedView,
    table: pa.Table,
    *,
    event_time: str = "event_timestamp",
    created: str | None = None,
    item_codes: int = 0,
    verify: bool = True,
) -> WriteReport:
    """Write a table that holds a view's join keys, features and times; where a key comes twice the newest row counts.

    event_time, created: names of the table's time columns; item_codes: version of the item codes in the features;
    verify: read every row back and compare it, byte by byte, with what was written.

    Raises:
        StoreError: a column that is absent or does not fit, an unreachable store, or rows that came out changed.
    """
    stamps = _stamps(client, view, table, event_time, created, item_codes)
    prefix = client.namespace(view.name).rows
    keys = table_keys(prefix, view.join_keys, table)
    held = long_entities(prefix, view.join_keys, table, keys)
    return write_packed(client, view, table, keys, stamps, verify=verify, held=held)


def write_packed(
    client: PackedClient,
    view: PackedView,
    table: pa.Table,
    keys: list[bytes],
    stamps: RowStamps,
    *,
    verify: bool,
    nan_is_missing: bool = True,
    held: Mapping[bytes, bytes] | None = None,
) -> WriteReport:
    """Write a table's rows under the store's own keys; ``held`` are entities that are too long for theirs."""
    if not keys:
        client.register(view)
        return WriteReport(0, 0, 0)
    if len(set(keys)) < len(keys):
        table, keys, stamps = _newest_of_each(table, keys, stamps)
    oldest, newest = _extremes(stamps)
    written: list[RowBatch] = []
    batches = _packed_batches(view, table, keys, stamps, nan_is_missing, held or {})
    kept = client.write_batches(view, _noted(batches, written) if verify else batches, oldest, newest)
    for batch in written:
        _compare(client, view, batch)
    return WriteReport(len(keys), len(keys) - kept, kept)


def _stamps(
    client: PackedClient, view: PackedView, table: pa.Table, event_time: str, created: str | None, item_codes: int
) -> RowStamps:
    for name in filter(None, (event_time, created)):
        if name not in table.column_names:
            raise StoreError(f"view {view.name}: time column {name} is not in the table ({table.column_names})")
    times = microseconds(table.column(event_time), event_time)
    created_times = (
        microseconds(table.column(created), created, may_miss=True) if created else np.full(len(times), NO_TIME)
    )
    return RowStamps(times, created_times, client.namespace(view.name).revision_hash, item_codes)


def _newest_of_each(table: pa.Table, keys: list[bytes], stamps: RowStamps) -> tuple[pa.Table, list[bytes], RowStamps]:
    order = np.lexsort((stamps.created, stamps.event_time)).tolist()
    last = sorted({keys[place]: place for place in order}.values())
    chosen = RowStamps(stamps.event_time[last], stamps.created[last], stamps.revision, stamps.item_codes)
    return table.take(last), [keys[place] for place in last], chosen


def _extremes(stamps: RowStamps) -> tuple[bytes, bytes]:
    """Return the smallest and the greatest (event time, created time) as they stand in a header."""

    def stamp(moment: np.int64, created: np.int64) -> bytes:
        return np.array([moment, created], "<i8").tobytes()

    first, last = stamps.event_time.min(), stamps.event_time.max()
    return (
        stamp(first, stamps.created[stamps.event_time == first].min()),
        stamp(last, stamps.created[stamps.event_time == last].max()),
    )


def _packed_batches(
    view: PackedView,
    table: pa.Table,
    keys: list[bytes],
    stamps: RowStamps,
    nan_is_missing: bool,
    held: Mapping[bytes, bytes],
) -> Iterator[RowBatch]:
    bytes_a_row = view.schema.dtype.itemsize + table.nbytes // len(keys)
    size = max(1, min(MAX_BATCH_ROWS, MAX_BATCH_BYTES // bytes_a_row))
    for start in range(0, len(keys), size):
        some = stamps.slice(start, start + size)
        values = encode_table(view.schema, table.slice(start, size), some, nan_is_missing)
        chosen = keys[start : start + size]
        yield RowBatch(chosen, hold_entities(values, chosen, held))


def _noted(batches: Iterator[RowBatch], written: list[RowBatch]) -> Iterator[RowBatch]:
    for batch in batches:
        written.append(batch)
        yield batch


def _compare(client: PackedClient, view: PackedView, batch: RowBatch) -> None:
    """Check that every row stands as it was written, or that a newer one does."""
    stored = client.backend.read(batch.keys)
    if stored == batch.values:
        return
    wrong = [
        place
        for place, (ours, theirs) in enumerate(zip(batch.values, stored, strict=True))
        if ours != theirs and (theirs is None or _stamp(theirs) <= _stamp(ours))
    ]
    if wrong:
        raise StoreError(
            f"view {view.name}: {len(wrong):,} of {len(stored):,} rows came out of {client.backend.url} changed, "
            f"the first under key {batch.keys[wrong[0]]!r}; expected the bytes that were written: check that the store "
            "evicts nothing and that nothing else writes to it; then `rankloop run` writes them again"
        )


def _stamp(row: bytes) -> tuple[int, int]:
    moment, created = np.frombuffer(row[STAMP], "<i8").tolist()
    return moment, created
