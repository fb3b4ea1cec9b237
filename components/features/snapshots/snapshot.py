"""One view at one moment as an Arrow table: scalars as float32, lists packed into aligned arrays."""

from collections.abc import Callable
from datetime import datetime, timedelta

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.contracts.moments import EPOCH
from components.contracts.tables import TIME
from components.features.views.view import CREATED_TIMESTAMP, EVENT_TIMESTAMP, SNAPSHOT_DAY, ListColumns, View

Fetch = Callable[[ir.Table], pa.Table]


def snapshot(view: View, at: datetime, fetch: Fetch) -> pa.Table:
    """Compute a view's rows in the view's schema.

    ``created_timestamp`` is when the newest event behind a row was known; a row's ``event_timestamp`` is the moment.
    """
    schema = view.schema
    scalars = fetch(view.scalars)
    columns = {name: scalars[name] for name in scalars.column_names if name in schema.names}
    keys = scalars[view.key].to_numpy()
    for list_columns in view.lists:
        columns |= _packed(list_columns, view.key, keys, fetch)
    columns[SNAPSHOT_DAY] = pa.array(np.full(len(scalars), snapshot_day(at)))
    columns[EVENT_TIMESTAMP] = pa.array([at] * len(scalars), TIME)
    columns[CREATED_TIMESTAMP] = _as_times(scalars["known"])
    return pa.table([_cast(columns[field.name], field.type) for field in schema], schema=schema)


def snapshot_day(at: datetime) -> np.float32:
    """Return a snapshot's moment in days since 1970; float32 distinguishes moments three minutes apart."""
    return np.float32((at - EPOCH) / timedelta(days=1))


def _packed(list_columns: ListColumns, key: str, keys: NDArray[np.int32], fetch: Fetch) -> dict[str, pa.ListArray]:
    """Gather the rows of list columns into one array an entity, in the order of ``keys``."""
    rows = fetch(list_columns.table)
    position = np.empty(int(keys.max(initial=-1)) + 1, dtype=np.int64)
    position[keys] = np.arange(len(keys))
    entity = position[rows[key].to_numpy()]
    order = _newest_elements(list_columns, rows, entity, np.argsort(entity << 32 | rows[list_columns.order].to_numpy()))
    offsets = np.zeros(len(keys) + 1, dtype=np.int32)
    np.cumsum(np.bincount(entity[order], minlength=len(keys)), out=offsets[1:])
    return {name: _lists(offsets, rows[name].take(pa.array(order))) for name in list_columns.values}


def _newest_elements(
    list_columns: ListColumns, rows: pa.Table, entity: NDArray[np.int64], order: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Keep the newest elements of entities that have too many; ties are kept in order."""
    if not list_columns.max_length or np.bincount(entity, minlength=1).max() <= list_columns.max_length:
        return order
    entities = entity[order]
    ages = rows[list_columns.recency].to_numpy()[order]
    newest = np.lexsort((ages, entities))
    rank = np.empty(len(order), dtype=np.int64)
    rank[newest] = np.arange(len(order)) - np.searchsorted(entities, entities, side="left")
    return order[rank < list_columns.max_length]


def _lists(offsets: NDArray[np.int32], values: pa.ChunkedArray) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets), values.combine_chunks())


def _cast(column: pa.ChunkedArray | pa.Array, kind: pa.DataType) -> pa.ChunkedArray | pa.Array:
    return column if column.type == kind else pc.cast(column, kind, safe=False)


def _as_times(known: pa.ChunkedArray) -> pa.Array:
    return pc.cast(pc.cast(known, pa.int64()), TIME)
