"""Outcomes: which merchandise each user succeeded with in the horizon after each request time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pyarrow as pa

from components.features.inputs.successes import merchandise, successes
from components.features.settings import Shape
from components.features.snapshots.workspace import Workspace


def outcomes(
    space: Workspace, times: Sequence[datetime], horizon: timedelta, as_of: datetime, shape: Shape
) -> dict[datetime, pa.Table]:
    """Distinct (user_id, item_id) of merchandise with a success in [time, time + horizon), known at the as-of."""
    return {time: _in_window(space, time, time + horizon, as_of, shape) for time in times}


def _in_window(space: Workspace, start: datetime, end: datetime, as_of: datetime, shape: Shape) -> pa.Table:
    found = successes(space.clean["events"], start, end, as_of, shape)
    pairs = found.filter(found.user_id.notnull()).select("user_id", "item_id").distinct()
    return space.fetch(merchandise(pairs, space.clean["items"], as_of, shape).order_by("user_id", "item_id"))
