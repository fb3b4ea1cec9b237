"""Users with an absurd share of the events: bots, test accounts, resellers, a till's guest account."""

from collections.abc import Iterator

import duckdb

from components.lake.session import quote_literal
from components.shop.settings import Shop

TIMES_THE_AVERAGE = 10
NAMED = 3


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
