"""Outcomes: which merchandise each user succeeded with in the horizon after each request time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from components.features.catalogue import valid_at
from components.features.coded import since
from components.features.moment import microseconds, utc
from components.features.shape import Shape
from components.features.workspace import Workspace


def outcomes(
    space: Workspace, times: Sequence[datetime], horizon: timedelta, as_of: datetime, shape: Shape
) -> dict[datetime, pa.Table]:
    """Distinct (user_id, item_id) of merchandise with a success in [time, time + horizon), known at the as-of."""
    excluded = not_merchandise(space.clean["items"], as_of, shape)
    return {time: _in_window(space, time, time + horizon, as_of, shape, excluded) for time in times}


def not_merchandise(items: ir.Table, as_of: datetime, shape: Shape) -> ir.Table:
    """Items that are not merchandise, by id."""
    held = valid_at(
        items.mutate(valid_from=since(items.valid_from)), "item_id", ibis.literal(microseconds(as_of), type="int64")
    )
    return held.filter(~held.is_merchandise.fill_null(True)).select("item_id")


def successes(events: ir.Table, start: datetime, end: datetime, as_of: datetime, shape: Shape) -> ir.Table:
    """Success events in [start, end) that were known at the as-of."""
    return events.filter(
        events.event_time >= utc(start),
        events.event_time < utc(end),
        events.available_at <= utc(as_of),
        events.event_type.isin(shape.success),
        events.quantity.fill_null(1.0) > 0,
    )


def _in_window(
    space: Workspace, start: datetime, end: datetime, as_of: datetime, shape: Shape, excluded: ir.Table
) -> pa.Table:
    found = successes(space.clean["events"], start, end, as_of, shape)
    found = found.filter(found.user_id.notnull())
    if shape.not_merchandise:
        found = found.filter(found.item_id.notin(shape.not_merchandise))
    pairs = found.select("user_id", "item_id").distinct().anti_join(excluded, "item_id")
    return space.fetch(pairs.order_by("user_id", "item_id"))
