"""The raw rows that count: those of sources that the shop file names; and the batch of each source's history.

A source that left the shop file, or was renamed, keeps its raw rows, in case it comes back.
"""

import duckdb

from components.contracts.feedback import SERVED_SOURCE
from components.contracts.handles import Handle
from components.contracts.tables import RAW
from components.home.layout import Home
from components.lake.session import delta_relation, quote_literal
from components.lake.tables import read_notes
from components.shop.settings import EventColumns, EventStream, Shop

SERVED_EVENTS = EventStream(
    name=SERVED_SOURCE,
    columns=EventColumns(
        user="user_id", item="item_id", time="event_time", event_type="event_type", quantity="quantity"
    ),
    live=True,
)
NO_HISTORY = {SERVED_SOURCE: 0}  # batches count from 1: each of its rows was known when the service took it


def of_named_sources(shop: Shop, table: str) -> str:
    """Return SQL that is true for the rows of a growing raw table whose source the shop file names."""
    return f"source IN ({', '.join(map(quote_literal, source_names(shop, table)))})"


def source_names(shop: Shop, table: str) -> list[str]:
    """Return the names of the sources that the shop file gives a growing table, and of the service's own."""
    if table == "events":
        return [source.name for source in event_sources(shop)]
    return [SERVED_SOURCE] if shop.impressions is None else [table, SERVED_SOURCE]


def event_sources(shop: Shop) -> tuple[EventStream, ...]:
    """Return the sources of events that the shop file names, and the service's own."""
    return *shop.events, SERVED_EVENTS


def dropped_sources(
    session: duckdb.DuckDBPyConnection, shop: Shop, home: Home, raw: Handle, tables: list[str]
) -> dict[str, int]:
    """Count the raw rows of each source that was read once and that the shop file no longer names."""
    dropped = {}
    for table in tables:
        version = raw.versions[table]
        gone = sorted(set(read_notes(home.raw / table, version)["sources"]) - set(source_names(shop, table)))
        rows = delta_relation(home.raw / table, RAW[table], version)
        for source in gone:
            count = f"SELECT count(*) FROM {rows} WHERE source = {quote_literal(source)}"
            dropped[source] = session.execute(count).fetchall()[0][0]
    return dropped


def first_batches(session: duckdb.DuckDBPyConnection, shop: Shop, raw: str) -> dict[str, int]:
    """Return the batch that brought the history of each live source, by its name; ``raw`` is SQL of all raw events."""
    live = [quote_literal(source.name) for source in shop.events if source.live]
    if not live:
        return NO_HISTORY
    sql = f"SELECT source, min(batch) FROM {raw} WHERE source IN ({', '.join(live)}) GROUP BY source"
    return dict(session.execute(sql).fetchall()) | NO_HISTORY
