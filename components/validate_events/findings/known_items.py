"""The share of recent sales with items in the catalogue: rules of catalogue columns apply to these only."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import duckdb

from components.contracts.tables import CANONICAL
from components.home.layout import Home
from components.lake.session import delta_relation, quote_literal
from components.shop.settings import Shop
from components.validate_events.findings.limits import limit_words
from components.validate_events.rows.pending_rows import PendingRows

HORIZONS = 4  # that count as recent: items discontinued years ago need not be in the catalogue
EXAMPLES = 3
WORTH_A_WARNING = 0.05  # of the rows or items sold


@dataclass(frozen=True)
class SoldItems:
    """Sales of the last horizons, and how many of them have items that the catalogue lacks."""

    since: datetime
    rows: int
    items: int
    unknown_rows: int
    unknown_items: int
    unknown: tuple[str, ...]  # examples of ids that the catalogue lacks
    known: tuple[str, ...]  # examples of ids that it has
    zeros: bool  # whether an unknown id differs from a known one only by leading zeros

    @property
    def unknown_share(self) -> float:
        """Return the larger of both shares: of rows, and of distinct items."""
        return max(self.unknown_rows / self.rows, self.unknown_items / self.items)


def sold_items(
    session: duckdb.DuckDBPyConnection, shop: Shop, home: Home, events: PendingRows | None, catalogue: str
) -> SoldItems | None:
    """Compare recent sales, of clean and new rows, with the catalogue; ``catalogue`` is SQL of its ids.

    None without a catalogue, or without sales.
    """
    if shop.items is None:
        return None
    session.execute(f"CREATE OR REPLACE TEMP TABLE sold AS {_sold(shop, home, events)}")
    session.execute(f"CREATE OR REPLACE TEMP TABLE catalogue AS SELECT DISTINCT item_id FROM ({catalogue})")
    unknown = "(SELECT * FROM sold ANTI JOIN catalogue USING (item_id))"
    since, rows, items, unknown_rows, unknown_items, missing, known, by_zeros = session.execute(f"""
        SELECT
            min(since),
            CAST(coalesce(sum(rows), 0) AS BIGINT),
            count(*),
            (SELECT CAST(coalesce(sum(rows), 0) AS BIGINT) FROM {unknown}),
            (SELECT count(*) FROM {unknown}),
            (SELECT min(item_id, {EXAMPLES}) FROM {unknown}),
            (SELECT min(item_id, {EXAMPLES}) FROM catalogue),
            EXISTS (
                SELECT 1
                FROM {unknown} AS missing
                JOIN catalogue ON ltrim(missing.item_id, '0') = ltrim(catalogue.item_id, '0')
            )
        FROM sold
    """).fetchall()[0]
    if not rows:
        return None
    examples = (tuple(missing or ()), tuple(known or ()))
    return SoldItems(since, rows, items, unknown_rows, unknown_items, *examples, by_zeros)


def _sold(shop: Shop, home: Home, events: PendingRows | None) -> str:
    """Return SQL of the items sold in the last horizons, with their rows; in a shop without sales, of all events."""
    columns = "item_id, event_time, event_type"
    parts = [f"SELECT {columns} FROM {delta_relation(home.clean / 'events', CANONICAL['events'])}"]
    if events is not None and not events.is_empty:
        new = f"SELECT {columns} FROM {events.validated} WHERE reason IS NULL"
        parts = [new] if events.is_rebuild else [*parts, new]
    success = f"event_type IN ({', '.join(map(quote_literal, shop.success))})"
    return f"""
        WITH interactions AS MATERIALIZED ({" UNION ALL ".join(parts)}),
        sales AS (
            SELECT * FROM interactions
            WHERE {success} OR NOT EXISTS (SELECT 1 FROM interactions WHERE {success})
        ),
        start AS (
            SELECT max(event_time) - INTERVAL {HORIZONS * shop.horizon_days} DAY AS since FROM sales
        )
        SELECT item_id, count(*) AS rows, any_value(since) AS since
        FROM sales, start
        WHERE event_time >= since
        GROUP BY item_id
    """


def unknown_breach(shop: Shop, sold: SoldItems | None) -> list[str]:
    """Say in words that the catalogue lacks too many of the items sold."""
    limit, contract = shop.contract.max_unknown_items, shop.contract
    if sold is None or sold.unknown_share <= limit or sold.unknown_rows <= contract.tolerated_rows:
        return []
    return [f"{_lacking(sold)} ({limit_words(limit, 'max_unknown_items')})"]


def unknown_warnings(shop: Shop, sold: SoldItems | None) -> Iterator[str]:
    """Warn of sales with items that the catalogue lacks: rules of its columns do not apply to them."""
    if sold is None or sold.unknown_share < WORTH_A_WARNING:
        return
    effect = "rules of its columns do not exclude them"
    if shop.rules.in_stock_only is not None:
        effect = "they count as out of stock (rules.in_stock_only)"
    yield f"{_lacking(sold)}; {effect}"


def _lacking(sold: SoldItems) -> str:
    lost, known = (", ".join(map(repr, ids)) for ids in (sold.unknown, sold.known))
    reason = "; they differ by zeros before the number: export both as text" if sold.zeros else ""
    return (
        f"events: {sold.unknown_rows:,} of {sold.rows:,} rows sold since {sold.since:%Y-%m-%d} "
        f"({sold.unknown_items:,} of {sold.items:,} items) have an item that the catalogue lacks, such as {lost}; "
        f"the catalogue has {known or 'no item at all'}{reason}"
    )
