"""Tables that do not match: ids that no other table has, and rows that are valid only after the run's moment."""

from collections.abc import Iterator
from datetime import datetime

import duckdb

from components.contracts.tables import CANONICAL
from components.home.layout import Home
from components.lake.session import delta_relation, quote_literal
from components.shop.settings import Shop

EXAMPLES = 3


def reference_warnings(session: duckdb.DuckDBPyConnection, shop: Shop, home: Home, moment: datetime) -> Iterator[str]:
    """Warn of customers and promotions without events, of rules for ids without events, and of a later catalogue.

    The session holds the events that are known at the moment as ``known_events``.
    """
    if shop.users is not None:
        yield from _unused_table(session, home, "users", "user_id")
    if shop.promotions is not None:
        yield from _unused_table(session, home, "promotions", "item_id")
    yield from _nearly_excluded(session, shop)
    if shop.items is not None and shop.items.valid_from is not None:
        yield from _later_catalogue(session, home, moment)


def _unused_table(session: duckdb.DuckDBPyConnection, home: Home, table: str, key: str) -> Iterator[str]:
    """Warn of a table none of whose ids occurs in the events."""
    rows = delta_relation(home.clean / table, CANONICAL[table])
    events = f"(SELECT DISTINCT {key} FROM known_events WHERE {key} IS NOT NULL)"
    row_count, known, table_ids, event_ids = session.execute(f"""
        SELECT
            (SELECT count(*) FROM {rows}),
            (SELECT count(*) FROM {events} SEMI JOIN {rows} AS t USING ({key})),
            (SELECT min({key}, {EXAMPLES}) FROM {rows}),
            (SELECT min({key}, {EXAMPLES}) FROM {events})
    """).fetchall()[0]
    if row_count and event_ids and not known:
        yield (
            f"{table}: none of its {row_count:,} rows has an id that occurs in the events: it has "
            f"{_listed(table_ids)}, the events {_listed(event_ids)}; export both alike, or correct the column that "
            f"`{table}` names"
        )


def _nearly_excluded(session: duckdb.DuckDBPyConnection, shop: Shop) -> Iterator[str]:
    """Warn of excluded ids that never occur, while one occurs that differs by its zeros or its case."""
    named = ", ".join(quote_literal(item) for item in shop.rules.not_merchandise.get("item", ()))
    if not named:
        return
    bare = "ltrim(lower(item_id), '0')"
    events = f"(SELECT DISTINCT item_id, {bare} AS bare FROM known_events)"
    rules = f"(SELECT item_id, {bare} AS bare FROM (SELECT unnest([{named}]) AS item_id))"
    similar = session.execute(f"""
        SELECT rule.item_id, min(event.item_id)
        FROM {rules} AS rule
        JOIN {events} AS event USING (bare)
        GROUP BY 1
        HAVING NOT bool_or(event.item_id = rule.item_id)
        ORDER BY 1
    """).fetchall()
    for item, sold in similar:
        yield f"rules.not_merchandise.item: no event has the item {item!r}, some have {sold!r}, which is not excluded"


def _later_catalogue(session: duckdb.DuckDBPyConnection, home: Home, moment: datetime) -> Iterator[str]:
    """Warn of a catalogue most of whose rows hold only after the moment of the run."""
    items = delta_relation(home.clean / "items", CANONICAL["items"])
    rows, later, since = session.execute(f"""
        SELECT count(*), count(*) FILTER (since > TIMESTAMPTZ {quote_literal(moment.isoformat())}), min(since)
        FROM (SELECT item_id, min(valid_from) AS since FROM {items} GROUP BY item_id)
    """).fetchall()[0]
    if later * 2 > rows:
        yield (
            f"items: {later:,} of {rows:,} items hold only after the run's moment {moment:%Y-%m-%d %H:%M} UTC, the "
            f"first from {since:%Y-%m-%d} on, so that until then they have no category, price or stock; is "
            "`items.valid_from` the day of the export? Leave it out, then rows hold since always"
        )


def _listed(ids: list[str]) -> str:
    return ", ".join(map(repr, ids))
