"""Which raw rows count: those of sources that the shop file names; and which of them were there from the start.

A source that left the shop file, or was renamed, keeps its raw rows, in case it comes back.
"""

import duckdb

from components.contracts.handles import Handle
from components.contracts.home import Home
from components.contracts.shop import Shop
from components.contracts.tables import RAW
from components.lake.session import delta_relation, text
from components.lake.tables import read_notes


def of_named_sources(shop: Shop, table: str) -> str:
    """SQL that is true for the rows of a growing raw table whose source the shop file names."""
    named = source_names(shop, table)
    if "source" in RAW[table].names:
        return f"source IN ({', '.join(map(text, named))})"
    return "true" if named else "false"


def source_names(shop: Shop, table: str) -> list[str]:
    """The names of the sources that the shop file gives to a growing table."""
    if table == "events":
        return [source.name for source in shop.events]
    return [table] if shop.impressions is not None else []


def dropped_sources(
    session: duckdb.DuckDBPyConnection, shop: Shop, home: Home, raw: Handle, tables: list[str]
) -> dict[str, int]:
    """Raw rows of every source that was read once and that the shop file no longer names."""
    dropped = {}
    for table in tables:
        version = raw.versions[table]
        gone = sorted(set(read_notes(home.raw / table, version)["sources"]) - set(source_names(shop, table)))
        rows = delta_relation(home.raw / table, RAW[table], version)
        for source in gone:
            mine = f"source = {text(source)}" if "source" in RAW[table].names else "true"
            dropped[source] = session.execute(f"SELECT count(*) FROM {rows} WHERE {mine}").fetchall()[0][0]
    return dropped


def first_batches(session: duckdb.DuckDBPyConnection, shop: Shop, raw: str) -> dict[str, int]:
    """The first batch of rows of each live source, by its name; ``raw`` is SQL of all raw events."""
    live = [text(source.name) for source in shop.events if source.live]
    if not live:
        return {}
    sql = f"SELECT source, min(batch) FROM {raw} WHERE source IN ({', '.join(live)}) GROUP BY source"
    return dict(session.execute(sql).fetchall())
