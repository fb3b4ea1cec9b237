"""Bring a shop's sources into the raw lake: each row once, with the offsets in the same commit."""

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from components.contracts.handles import Handle
from components.contracts.steps.declared import StepResult
from components.contracts.steps.facts import IngestionFacts, SourceFacts
from components.contracts.tables import RAW
from components.feedback.compaction.retention import drop_old_feedback, join_small_segments
from components.feedback.segments.layout import has_feedback
from components.home.layout import Home
from components.home.storage.locations import Location
from components.home.tombstones import Tombstones
from components.ingest_events.full_refresh import refresh_table
from components.ingest_events.incremental import append_new_rows
from components.ingest_events.shop_sources import IMPRESSIONS, ShopSources
from components.lake.fencing import fence_after_takeover
from components.lake.session import delta_relation, duckdb_session, quote_literal, stream_rows
from components.lake.tables import open_table, read_notes, rewrite_table, table_version
from components.shop.settings import Shop

SOURCE = "source"


def ingest_events(shop: Shop, home: Home, now: datetime, say: Callable[[str], None]) -> StepResult[IngestionFacts]:
    """Read what is new in every source of a shop, and in the service's log, into ``home.raw``.

    Rows in are those read from sources, rows out the new ones.

    Args:
        now: the moment of ingestion, with a zone; what live sources bring is known from then on.

    Raises:
        SourceError: a source cannot be read, lacks a mapped column, or moved backwards.
    """
    fence_after_takeover(home.root, home.tables())
    join_small_segments(home)
    with tempfile.TemporaryDirectory(prefix="rankloop-sources-") as scratch:
        facts = _read_sources(ShopSources(shop, home, now, Path(scratch)), say)
    if has_feedback(home):
        drop_old_feedback(home, shop.feedback.keep_days, now)
    versions = {table: version for table in RAW if (version := table_version(home.raw / table)) is not None}
    return StepResult(
        handle=Handle(kind="raw", uri=str(home.raw), versions=versions),
        rows_in=sum(each.rows_read for each in facts.values()),
        rows_out=sum(each.rows_new for each in facts.values()),
        facts=IngestionFacts(facts),
    )


def _read_sources(sources: ShopSources, say: Callable[[str], None]) -> dict[str, SourceFacts]:
    """Return the facts of each source by its label."""
    raw, forgotten = sources.home.raw, Tombstones(sources.home.tombstones)
    facts: dict[str, SourceFacts] = {}
    with duckdb_session() as session:
        name_sources(session, raw / IMPRESSIONS)
        for source in sources.incremental():
            say(f"reading {source.label}")
            facts[source.label] = append_new_rows(session, raw / source.table, source, sources.now, forgotten)
        for refreshed in sources.full_refresh():
            say(f"reading {refreshed.table}")
            facts[refreshed.table] = refresh_table(session, raw / refreshed.table, refreshed, forgotten)
    return facts


def name_sources(session: duckdb.DuckDBPyConnection, uri: Location) -> None:
    """Give the rows of raw impressions their source, where there was none but the shop's own; notes stay."""
    table = open_table(uri)
    if table is None or SOURCE in {field.name for field in table.schema().fields}:
        return
    schema = RAW[uri.name]
    before = pa.schema([field for field in schema if field.name != SOURCE])
    columns = ", ".join(f"{quote_literal(uri.name)} AS {name}" if name == SOURCE else name for name in schema.names)
    rows = stream_rows(session, f"SELECT {columns} FROM {delta_relation(uri, before)}", schema)
    rewrite_table(uri, rows, read_notes(uri))
