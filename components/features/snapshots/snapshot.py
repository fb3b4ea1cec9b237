"""One view at one moment as an Arrow table: scalars as float32, listings packed into aligned arrays."""

from collections.abc import Callable
from datetime import datetime, timedelta

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.contracts.tables import TIME
from components.features.inputs.moment import EPOCH
from components.features.views.view import CREATED_TIMESTAMP, EVENT_TIMESTAMP, SNAPSHOT_DAY, Listing, View

Fetch = Callable[[ir.Table], pa.Table]


def snapshot(view: View, at: datetime, fetch: Fetch) -> pa.Table:
    """Compute a view's rows in the view's schema.

    ``created_timestamp`` is when the newest event behind a row was known; a row's ``event_timestamp`` is the moment.
    """
    schema = view.schema
    scalars = fetch(view.scalars)
    columns = {name: scalars[name] for name in scalars.column_names if name in schema.names}
    keys = scalars[view.key].to_numpy()
    for listing in view.listings:
        columns |= _packed(listing, view.key, keys, fetch)
    columns[SNAPSHOT_DAY] = pa.array(np.full(len(scalars), snapshot_day(at)))
    columns[EVENT_TIMESTAMP] = pa.array([at] * len(scalars), TIME)
    columns[CREATED_TIMESTAMP] = _moments(scalars["known"])
    return pa.table([_cast(columns[field.name], field.type) for field in schema], schema=schema)


def snapshot_day(at: datetime) -> np.float32:
    """A snapshot's moment in days since 1970; float32 tells moments apart that lie three minutes from one another."""
    return np.float32((at - EPOCH) / timedelta(days=1))


def _packed(listing: Listing, key: str, keys: NDArray[np.int32], fetch: Fetch) -> dict[str, pa.ListArray]:
    """Gather a listing's rows into one array an entity, in the order of ``keys``."""
    rows = fetch(listing.table)
    place = np.empty(int(keys.max(initial=-1)) + 1, dtype=np.int64)
    place[keys] = np.arange(len(keys))
    owner = place[rows[key].to_numpy()]
    order = _kept(listing, rows, owner, np.argsort(owner << 32 | rows[listing.order].to_numpy()))
    offsets = np.zeros(len(keys) + 1, dtype=np.int32)
    np.cumsum(np.bincount(owner[order], minlength=len(keys)), out=offsets[1:])
    return {name: _lists(offsets, rows[name].take(pa.array(order)), name) for name in listing.values}


def _kept(listing: Listing, rows: pa.Table, owner: NDArray[np.int64], order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Leave out the oldest elements of entities that have too many; equally old ones are kept in order."""
    if not listing.most or np.bincount(owner, minlength=1).max() <= listing.most:
        return order
    held = owner[order]
    ages = rows[listing.recency].to_numpy()[order]
    newest = np.lexsort((ages, held))
    rank = np.empty(len(order), dtype=np.int64)
    rank[newest] = np.arange(len(order)) - np.searchsorted(held, held, side="left")
    return order[rank < listing.most]


def _lists(offsets: NDArray[np.int32], values: pa.ChunkedArray, name: str) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets), values.combine_chunks())


def _cast(column: pa.ChunkedArray | pa.Array, kind: pa.DataType) -> pa.ChunkedArray | pa.Array:
    return column if column.type == kind else pc.cast(column, kind, safe=False)


def _moments(known: pa.ChunkedArray) -> pa.Array:
    return pc.cast(pc.cast(known, pa.int64()), TIME)
