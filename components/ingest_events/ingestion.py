"""Bring a shop's sources into the raw lake: each row once, with the offsets in the same commit."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from components.contracts.handles import Handle
from components.contracts.tables import RAW
from components.feedback.compaction.retention import drop_old_feedback
from components.home.layout import Home
from components.home.presence import status_of
from components.home.tombstones import Tombstones
from components.ingest_events.growing import GrowingSource, SourceFacts, grow_table
from components.ingest_events.mapping.columns import SourceColumns, map_events, map_impressions, map_items, map_users
from components.ingest_events.offsets import settings_digest
from components.ingest_events.older_layouts import name_sources
from components.ingest_events.promotions import promotions_sql
from components.ingest_events.served import read_served
from components.ingest_events.snapshots import SnapshotSource, replace_table
from components.lake.session import duckdb_session
from components.lake.tables import table_version
from components.shop.settings import ItemSource, PromotionSource, Settings, Shop, UserSource

IMPRESSIONS = "impressions"
SNAPSHOT_LAYOUT = 2  # of the raw tables: when it changes, a home reads its snapshots again
Select = Callable[[SourceColumns, str], str]


@dataclass(frozen=True)
class IngestReport:
    """What came of an ingestion: ``facts["sources"][name]`` are the facts of one source."""

    raw: Handle
    rows_in: int  # rows read from sources
    rows_out: int  # rows that were new
    facts: dict[str, Any]


def ingest_events(shop: Shop, home: Home, now: datetime, say: Callable[[str], None]) -> IngestReport:
    """Read what is new in every source of a shop, and in the service's log, into ``home.raw``.

    Args:
        now: the moment of ingestion, with a zone; what live sources bring is known from then on.

    Raises:
        SourceError: a source cannot be read, lacks a mapped column, or moved backwards.
    """
    read: dict[str, SourceFacts] = {}
    forgotten = Tombstones(home.tombstones)
    with duckdb_session() as session:
        name_sources(session, home.raw / IMPRESSIONS)
        for grower in growing_sources(shop):
            say(f"reading {grower.name}")
            read[grower.name] = grow_table(
                session, home.raw / grower.table, grower, grower.source.zone or shop.zone, now, forgotten
            )
        for snapshot in snapshot_sources(shop):
            say(f"reading {snapshot.table}")
            zone = snapshot.source.zone or shop.zone
            read[snapshot.table] = replace_table(session, home.raw / snapshot.table, snapshot, zone, forgotten)
        if status_of(home.feedback) is not None:
            say("reading what the service logged")
            read |= read_served(session, shop.feedback, home, now)
            drop_old_feedback(home, shop.feedback.keep_days, now)
    versions = {table: version for table in RAW if (version := table_version(home.raw / table)) is not None}
    return IngestReport(
        raw=Handle(kind="raw", uri=str(home.raw), versions=versions),
        rows_in=sum(facts.rows_read for facts in read.values()),
        rows_out=sum(facts.rows_new for facts in read.values()),
        facts={"sources": {name: asdict(facts) for name, facts in read.items()}},
    )


def growing_sources(shop: Shop) -> Iterator[GrowingSource]:
    """The sources of events and impressions."""
    for events in shop.events:
        settings = _reading(shop, events, only={"columns", "source"})
        yield GrowingSource("events", events.name, events.source, settings, _mapper(map_events, events))
    if shop.impressions is not None:
        settings, mapper = _reading(shop, shop.impressions), _mapper(map_impressions, shop.impressions)
        yield GrowingSource(IMPRESSIONS, IMPRESSIONS, shop.impressions.source, settings, mapper)


def snapshot_sources(shop: Shop) -> Iterator[SnapshotSource]:
    """The sources of items, users and promotions."""
    if shop.items is not None:
        yield _snapshot("items", shop, shop.items, _select(map_items, shop.items))
    if shop.users is not None:
        yield _snapshot("users", shop, shop.users, _select(map_users, shop.users))
    if shop.promotions is not None:
        promotions = _snapshot("promotions", shop, shop.promotions, partial(promotions_sql, shop.promotions))
        yield replace(promotions, of_all_rows=True)


def _snapshot(
    table: str, shop: Shop, described: ItemSource | UserSource | PromotionSource, select: Select
) -> SnapshotSource:
    settings = settings_digest(SNAPSHOT_LAYOUT, _reading(shop, described))
    return SnapshotSource(table, described.source, settings, select)


def _reading(shop: Shop, described: Settings, only: set[str] | None = None) -> str:
    """Digest how a source is read, by what differs from the defaults: a key that comes to be changes no digest.

    Where it lies is left out, so that a source that was moved is the same source.
    """
    written = described.model_dump(include=only, exclude={"source": {"path", "url"}}, exclude_defaults=True)
    return settings_digest(written, shop.time_zone)


def _mapper(map_columns: Callable[..., Any], source: Any) -> Callable[[SourceColumns], Any]:
    return lambda found: map_columns(source, found)


def _select(map_columns: Callable[..., Any], source: Any) -> Select:
    return lambda found, relation: map_columns(source, found).select(relation)
