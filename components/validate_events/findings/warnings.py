"""What a run warns of: wrong clocks, users with an absurd share of the events, session ids that come back."""

from collections.abc import Iterator, Sequence
from datetime import date

import duckdb

from components.lake.session import quote_literal
from components.shop.settings import Contract, Shop
from components.validate_events.rows.clocks import FAR_AFTER, Days, FarRows, usual_rows

TIMES_THE_AVERAGE = 10
NAMED = 3
MAX_RETURNING = 0.2  # share of a source's session ids; a few resumed visits are normal


def far_warnings(far: Sequence[FarRows], contract: Contract) -> Iterator[str]:
    """Name the rows that are set aside because of their clocks, and the keys that would take them."""
    for rows in far:
        where = "after" if rows.reason == FAR_AFTER else "before"
        yield (
            f"events: {rows.rows:,} rows of {_span(rows.first, rows.last)} lie {rows.gap_days:,} days {where} all "
            f"others and are set aside ({rows.reason}); correct their clocks in the source, or, if the shop was closed "
            f"in between, set contract.max_gap_days (now {contract.max_gap_days}) to at least {rows.gap_days}"
        )


def end_warnings(days: Days, end: date | None, contract: Contract) -> Iterator[str]:
    """Say which days at the end of the data have too few rows for a run to stand at."""
    later = sorted(day for day in days if end is not None and day > end)
    if not later or end is None:
        return
    yield (
        f"events: the run stands at the beginning of {end}, the newest day with a plausible share of the "
        f"{usual_rows(days, end):,.0f} rows of a usual day (contract.min_day_share = {contract.min_day_share:.4g}); "
        f"{sum(days[day] for day in later):,} later rows, of {_span(str(later[0]), str(later[-1]))}, are not used; "
        "--as-of names another moment"
    )


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


def heavy_user_warnings(session: duckdb.DuckDBPyConnection, shop: Shop, events: str) -> Iterator[str]:
    """Name the users with an absurd share; ``events`` is SQL of the clean events that are known."""
    successes = f"event_type IN ({', '.join(map(quote_literal, shop.success))})"
    named: set[str] = set()
    for what, which in (("events", "true"), (" and ".join(shop.success) + " events", successes)):
        for user, rows, total, average in session.execute(_heavy(shop, f"{events} WHERE {which}")).fetchall():
            if user not in named:
                named.add(user)
                yield _in_words(user, what, rows, total, average)


def _heavy(shop: Shop, rows: str) -> str:
    """Return SQL of heavy users: id, their rows, all rows, the average rows of the remaining users."""
    total = "(SELECT sum(rows) FROM counted)"
    average = "((SELECT sum(rows) FROM people) - rows) / ((SELECT count(*) FROM people) - 1)"
    return f"""
        WITH counted AS MATERIALIZED (
            SELECT user_id, count(*) AS rows FROM {rows} GROUP BY user_id
        ),
        people AS (
            SELECT * FROM counted WHERE user_id IS NOT NULL
        )
        SELECT user_id, rows, CAST({total} AS BIGINT), {average} AS average
        FROM people
        WHERE (SELECT count(*) FROM people) > 1
            AND rows > {shop.contract.max_user_share!r} * {total}
            AND rows > {TIMES_THE_AVERAGE} * {average}
        ORDER BY rows DESC, user_id
        LIMIT {NAMED}
    """


def _in_words(user: str, what: str, rows: int, total: int, average: float) -> str:
    return (
        f"events: the user {user!r} has {rows:,} of {total:,} {what} ({rows / total:.0%}, contract.max_user_share), "
        f"{rows / average:,.0f} times the average of the others, and shapes popularity by as much; if it is a bot, a "
        "test account or a reseller, contract.left_out_users leaves it out; if it stands for nobody, name it in "
        "contract.no_user"
    )


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
