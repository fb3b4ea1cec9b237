"""The sources of a shop and of its service, each with its reader and the mapping of its columns."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from components.contracts.feedback import SERVED_SOURCE
from components.feedback.segments.layout import has_feedback
from components.home.layout import Home
from components.ingest_events.full_refresh import FullRefreshSource
from components.ingest_events.incremental import IncrementalSource
from components.ingest_events.mapping.columns import (
    SourceColumns,
    map_events,
    map_impressions,
    map_items,
    map_logged,
    map_users,
)
from components.ingest_events.mapping.promotions import promotions_sql
from components.ingest_events.offsets import settings_digest
from components.ingest_events.reader import SourceContext, SourceReader, open_reader
from components.shop.settings import ItemSource, PromotionSource, Settings, Shop, UserSource
from components.shop.sources import Source

EVENTS, IMPRESSIONS = "events", "impressions"
LISTS = "served_lists"  # label of the service's lists; in raw impressions their source is ``served``
FULL_REFRESH_LAYOUT = 2  # of the raw tables: when it changes, a home reads these sources again


@dataclass(frozen=True)
class ShopSources:
    """The sources of an ingestion."""

    shop: Shop
    home: Home
    now: datetime
    scratch: Path  # a folder for files that are fetched

    def incremental(self) -> Iterator[IncrementalSource]:
        """Yield the sources of events and impressions."""
        for events in self.shop.events:
            reader = self._reader(events.source, EVENTS, f"{EVENTS}.{events.name}")
            settings = self._settings(events, only={"columns", "source"})
            yield IncrementalSource(EVENTS, events.name, events.name, reader, settings, partial(map_events, events))
        shown = self.shop.impressions
        if shown is not None:
            reader, mapping = self._reader(shown.source, IMPRESSIONS, f"{IMPRESSIONS}.{IMPRESSIONS}"), map_impressions
            settings = self._settings(shown)
            yield IncrementalSource(IMPRESSIONS, IMPRESSIONS, IMPRESSIONS, reader, settings, partial(mapping, shown))
        if has_feedback(self.home):
            yield from [self._logged(EVENTS, SERVED_SOURCE), self._logged(IMPRESSIONS, LISTS)]  # opened before either

    def full_refresh(self) -> Iterator[FullRefreshSource]:
        """Yield the sources of items, users and promotions."""
        items, users, promotions = self.shop.items, self.shop.users, self.shop.promotions
        if items is not None:
            yield self._refreshed("items", items, _select(map_items, items))
        if users is not None:
            yield self._refreshed("users", users, _select(map_users, users))
        if promotions is not None:
            refreshed = self._refreshed("promotions", promotions, partial(promotions_sql, promotions))
            yield replace(refreshed, of_all_rows=True)

    def _logged(self, table: str, label: str) -> IncrementalSource:
        reader = self._reader(self.shop.feedback, table, label)
        return IncrementalSource(table, SERVED_SOURCE, label, reader, "", partial(map_logged, table))

    def _refreshed(
        self,
        table: str,
        described: ItemSource | UserSource | PromotionSource,
        select: Callable[[SourceColumns, str], str],
    ) -> FullRefreshSource:
        settings = settings_digest(FULL_REFRESH_LAYOUT, self._settings(described))
        return FullRefreshSource(table, self._reader(described.source, table, table), settings, select)

    def _reader(self, source: Source, table: str, where: str) -> SourceReader:
        return open_reader(source, SourceContext(where, table, self.shop.zone, self.now, self.home, self.scratch))

    def _settings(self, described: Settings, only: set[str] | None = None) -> str:
        """Digest how a source is read, by what differs from the defaults: a key that comes to be changes no digest.

        Where it lies is left out, so that a source that was moved is the same source.
        """
        written = described.model_dump(include=only, exclude={"source": {"path", "url"}}, exclude_defaults=True)
        return settings_digest(written, self.shop.time_zone)


def _select(map_columns: Callable[..., Any], source: Any) -> Callable[[SourceColumns, str], str]:
    return lambda columns, relation: map_columns(source, columns).select(relation)
