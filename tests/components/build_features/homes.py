"""A home with clean Delta tables, and a shop file to go with it."""

import random
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from components.contracts.handles import Handle
from components.home.layout import Home
from components.lake.tables import append_rows, create_table, table_version
from components.shop.settings import EventColumns, EventSource, FileSource, Shop
from tests.components.features.frames import clean_tables, event, on

AS_OF = on(70)


def small_shop(**changes: Any) -> Shop:
    """A shop of purchases alone, with few and short weeks."""
    source = EventSource(
        name="purchases",
        source=FileSource(kind="parquet", path="purchases.parquet"),
        columns=EventColumns(user="user", item="item", time="time"),
        event_type="purchase",
    )
    settings = {
        "training": {"snapshots": 3, "min_requests": 5},
        "gate": {"heldout_horizons": 2, "min_users": 5},
        **changes,
    }
    return Shop.model_validate({"name": "small", "events": [source.model_dump(exclude_unset=True)], **settings})


def habits(users: int = 8, days: int = 90, seed: int = 3) -> list[dict[str, Any]]:
    """Users who buy two of their own few items every few days."""
    draw = random.Random(seed)
    events = []
    for user in range(users):
        own = draw.sample(range(12), 4)
        for day in range(draw.randint(0, 4), days, 3):
            events += [event(day + 0.5, f"u{user}", f"i{item:02}", price=2.0) for item in draw.sample(own, 2)]
    return events


def write_clean(home: Home, tables: dict[str, pa.Table], as_of: datetime = AS_OF) -> Handle:
    """Append tables to the home's clean Delta tables."""
    for name, table in tables.items():
        create_table(home.clean / name, table.schema)
        append_rows(home.clean / name, table, {})
    versions = {name: table_version(home.clean / name) or 0 for name in tables}
    return Handle("clean", str(home.clean), versions, as_of=as_of.isoformat())


def home_of(folder: Path, events: list[dict[str, Any]] | None = None) -> tuple[Home, Handle]:
    """A home with the habits of a few users."""
    home = Home(folder)
    return home, write_clean(home, clean_tables(events if events is not None else habits()))


def quiet(_: str) -> None:
    """Say nothing."""
