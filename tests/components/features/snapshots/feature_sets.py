"""Feature sets of a view of users, written by hand."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from components.features.snapshots.pool import POOL, PoolFile, write_snapshot
from components.features.snapshots.sets import FeatureSet, SetDescription, write_set
from components.home.storage.locations import Location
from tests.components.features.frames import PLAIN

MONDAY, TUESDAY = datetime(2024, 1, 8, tzinfo=UTC), datetime(2024, 1, 9, tzinfo=UTC)
VIEW = "user_features"


def rows_of(*users: str) -> pa.Table:
    """A row of each user."""
    times = pa.array([MONDAY] * len(users), pa.timestamp("us", tz="UTC"))
    return pa.table({"user_id": list(users), "event_timestamp": times, "history": [[1.0]] * len(users)})


def snapshot(features: Location, name: str, *users: str) -> PoolFile:
    """A pool file with a row of each user."""
    return write_snapshot(features / POOL, f"r1/{VIEW}/{name}.parquet", rows_of(*users))


def description(ttl_days: int = 60, days: tuple[datetime, ...] = (MONDAY,), **changes: Any) -> SetDescription:
    """What a set was computed from; the ``ttl_days`` tell sets apart."""
    values = {"project": "corner", "revision": "r1", "settings": PLAIN, "snapshot_days": 7, "versions": {"events": 1}}
    return SetDescription(**values | {"ttl_days": ttl_days, "as_of": days[-1], "days": days} | changes)


def a_set(features: Location, ttl_days: int, files: Mapping[datetime, PoolFile]) -> FeatureSet:
    """A set of pool files by day."""
    snapshots = {(VIEW, day): file for day, file in files.items()}
    return write_set(features, description(ttl_days, tuple(files)), snapshots)
