"""Small shops for tests of features: clean tables as frames, and a workspace over them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from components.contracts.tables import EVENTS, ITEM_CODES, ITEMS, PROMOTIONS, USERS
from components.features.settings import FeatureSettings
from components.features.snapshots.plan import run_plan, snapshot_plan
from components.lake.engine import EngineSettings, open_workspace
from components.lake.workspace import Workspace

DAY_ZERO = datetime(2024, 1, 1, tzinfo=UTC)
PLAIN = FeatureSettings(
    success=("purchase",),
    browsing=(),
    category_levels=0,
    dated_catalogue=True,
    user_attributes=(),
    not_merchandise=(),
    in_stock=None,
    promotions=False,
    promotions_known_ahead=False,
    horizon_days=7,
    max_history=100,
    neighbours=5,
)


def on(day: float) -> datetime:
    """A moment, in days after the shop opened."""
    return DAY_ZERO + timedelta(days=day)


def event(day: float, user: str | None, item: str, kind: str = "purchase", **more: Any) -> dict[str, Any]:
    """An event row; known at once unless ``known`` says a later day."""
    known = on(more.pop("known", day))
    row = {"event_time": on(day), "available_at": known, "ingested_at": known, "user_id": user, "item_id": item}
    return {**dict.fromkeys(EVENTS.names), **row, "event_type": kind, "source": "test", **more}


def clean_tables(
    events: Sequence[dict[str, Any]],
    items: Sequence[dict[str, Any]] = (),
    users: Sequence[dict[str, Any]] = (),
    promotions: Sequence[dict[str, Any]] = (),
    codes: Sequence[str] | None = None,
) -> dict[str, pa.Table]:
    """Clean tables; item codes follow ``codes``, by default the order in which items appear."""
    numbered = [{**row, "event_id": row["event_id"] or f"e{n}"} for n, row in enumerate(events)]
    listed = codes or list(dict.fromkeys([*(row["item_id"] for row in events), *(row["item_id"] for row in items)]))
    return {
        "events": pa.Table.from_pylist(numbered, EVENTS),
        "items": pa.Table.from_pylist([{**dict.fromkeys(ITEMS.names), **row} for row in items], ITEMS),
        "users": pa.Table.from_pylist([{**dict.fromkeys(USERS.names), **row} for row in users], USERS),
        "promotions": pa.Table.from_pylist(list(promotions), PROMOTIONS),
        "item_codes": pa.table(
            {"item_id": listed, "item_code": pa.array(range(len(listed)), pa.int32())}, schema=ITEM_CODES
        ),
    }


@contextmanager
def workspace(tables: dict[str, pa.Table]) -> Iterator[Workspace]:
    """A workspace over tables in memory."""
    with open_workspace(EngineSettings(threads=1)) as space:
        yield space.over({name: space.memory_table(table) for name, table in tables.items()})


def snapshots(tables: dict[str, pa.Table], day: float, settings: FeatureSettings = PLAIN) -> dict[str, pa.Table]:
    """Both views at a day."""
    with workspace(tables) as space:
        plan = snapshot_plan(space, settings)
        return {view.name: rows for view, rows in run_plan(plan, space, on(day))}


def user_row(tables: dict[str, pa.Table], day: float, user: str, settings: FeatureSettings = PLAIN) -> dict[str, Any]:
    """One user's row, by column."""
    return _row(snapshots(tables, day, settings)["user_features"], "user_id", user)


def item_row(tables: dict[str, pa.Table], day: float, item: str, settings: FeatureSettings = PLAIN) -> dict[str, Any]:
    """One item's row, by column."""
    return _row(snapshots(tables, day, settings)["item_features"], "item_id", item)


def _row(table: pa.Table, entity: str, wanted: str) -> dict[str, Any]:
    return next(row for row in table.to_pylist() if row[entity] == wanted)
