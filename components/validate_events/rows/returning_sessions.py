"""Session ids that come back: receipts numbered from 1 again each day, but also cookies and till numbers."""

from collections.abc import Iterator

import duckdb

from components.lake.session import quote_literal
from components.shop.settings import Shop

MAX_RETURNING = 0.2  # share of a source's session ids; a few resumed visits are normal


def returning_session_warnings(session: duckdb.DuckDBPyConnection, shop: Shop, events: str) -> Iterator[str]:
    """Warn of each source whose session ids come back after a gap; ``events`` is a relation of clean events."""
    mapped = [source.name for source in shop.events if source.columns.session]
    if not mapped:
        return
    hours, kinds = shop.features.session_hours, ", ".join(map(quote_literal, shop.success))
    counts = session.execute(f"""
        SELECT source, count(*), count(*) FILTER (epoch(span) > {hours * 3600!r}), arg_max(session_id, times)
        FROM (
            SELECT
                source,
                user_id,
                session_id,
                max(event_time) - min(event_time) AS span,
                count(DISTINCT event_time) AS times
            FROM {events}
            WHERE session_id IS NOT NULL
                AND event_type IN ({kinds})
                AND source IN ({", ".join(map(quote_literal, mapped))})
            GROUP BY ALL
        )
        GROUP BY source
        ORDER BY source
    """).fetchall()
    for source, total, returning, example in counts:
        if returning > MAX_RETURNING * total:
            yield (
                f"events: {returning:,} of {total:,} session ids of {source}, such as {example!r}, come back; after "
                f"{hours:g} hours without a purchase (features.session_hours) the same id is another session; if "
                f"events.columns.session of {source} is a cookie or a till number, leave it out: then a customer's day "
                "is a trip"
            )
