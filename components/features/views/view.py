"""Feature views: the tables that make up one view at one moment, and the schema that follows from them.

A view has scalars (one row an entity) and lists (several rows an entity, stored as aligned arrays). The schema that
Feast and the online store know is derived from these expressions: there is no second list of columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from components.contracts.tables import TIME

EVENT_TIMESTAMP = "event_timestamp"
CREATED_TIMESTAMP = "created_timestamp"
SNAPSHOT_DAY = "snapshot_day"  # days since 1970: says which snapshot a row comes from
CODES = ("item_code", "history_item", "seen_item", "neighbour_item")  # int32; everything else is float32
KEYS = ("user", "item", "known")  # columns of a view's tables that are not stored


@dataclass(frozen=True)
class ListColumns:
    """List columns of an entity whose elements belong together: one row an element, values named as stored."""

    table: ir.Table
    order: str  # column by which an entity's elements are ordered; not stored
    values: tuple[str, ...]
    recency: str = ""  # column by which an entity with more than ``max_length`` elements keeps the smallest
    max_length: int = 0


@dataclass(frozen=True)
class View:
    """One view at one moment.

    ``scalars`` has one row an entity, sorted by its id: its key, its id, ``known`` (when the newest of its events was
    known, microseconds since 1970) and the columns, numbers or arrays of numbers; what is stored is float32.
    """

    name: str
    entity: str  # the column of the id: user_id or item_id
    key: str  # the key that scalars and lists share
    scalars: ir.Table
    lists: tuple[ListColumns, ...]

    @cached_property
    def schema(self) -> pa.Schema:
        """Return the schema of a stored row: id, snapshot day, columns, arrays, then the two timestamps."""
        skip = (*KEYS, self.entity)
        scalars = [
            (name, pa.list_(pa.float32()) if kind.is_array() else _stored_type(name))
            for name, kind in self.scalars.schema().items()
            if name not in skip
        ]
        arrays = [(name, pa.list_(_stored_type(name))) for lists in self.lists for name in lists.values]
        times = [(EVENT_TIMESTAMP, TIME), (CREATED_TIMESTAMP, TIME)]
        return pa.schema([(self.entity, pa.string()), (SNAPSHOT_DAY, pa.float32()), *scalars, *arrays, *times])


def _stored_type(name: str) -> pa.DataType:
    return pa.int32() if name in CODES else pa.float32()


def aggregate(table: ir.Table, keys: Sequence[str], columns: Mapping[str, ir.Value]) -> ir.Table:
    """Group a table by keys into columns."""
    return table.group_by(*keys).agg(**columns)


def left_join_all(first: ir.Table, parts: Sequence[ir.Table], key: str) -> ir.Table:
    """Left-join parts to a table by a key, keeping each column once."""
    result = first
    for part in parts:
        result = result.left_join(part, key)
        result = result.select(*[name for name in result.columns if not name.endswith("_right")])
    return result


def latest_time(*known: ir.Value) -> ir.Value:
    """Return the newest of several times that may be missing."""
    return ibis.greatest(*(value.fill_null(0) for value in known)).nullif(0)
