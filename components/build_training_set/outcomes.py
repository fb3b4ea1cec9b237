"""Outcomes: the merchandise of each user's positive events in the horizon after each request time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pyarrow as pa

from components.features.inputs.positive_events import merchandise_only, positive_events
from components.features.settings import FeatureSettings
from components.features.snapshots.workspace import Workspace


def outcomes(
    space: Workspace, times: Sequence[datetime], horizon: timedelta, as_of: datetime, settings: FeatureSettings
) -> dict[datetime, pa.Table]:
    """Distinct (user_id, item_id) of merchandise with a success in [time, time + horizon), known at the as-of."""
    return {time: _in_window(space, time, time + horizon, as_of, settings) for time in times}


def _in_window(
    space: Workspace, start: datetime, end: datetime, as_of: datetime, settings: FeatureSettings
) -> pa.Table:
    successes = positive_events(space.clean["events"], start, end, as_of, settings)
    pairs = successes.filter(successes.user_id.notnull()).select("user_id", "item_id").distinct()
    return space.fetch(merchandise_only(pairs, space.clean["items"], as_of, settings).order_by("user_id", "item_id"))
