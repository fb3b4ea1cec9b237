"""The data-quality facts of a run's report."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from components.contracts.steps.facts import (
    DayFacts,
    EventFacts,
    NewRows,
    QuarantinedRows,
    ReferenceFacts,
    SnapshotFacts,
    ValidationFacts,
)
from components.contracts.tables import CANONICAL, QUARANTINE
from components.home.layout import Home
from components.lake.session import delta_relation, quote_literal
from components.lake.zones import local_day_sql
from components.shop.settings import Shop
from components.validate_events.findings.limits import ValidationCounts
from components.validate_events.findings.reasons import commonest_values, in_words

OPTIONAL = ("user_id", "quantity", "price", "list_price", "session_id", "request_id")


def quality_facts(
    session: duckdb.DuckDBPyConnection,
    shop: Shop,
    home: Home,
    counts_by_table: dict[str, ValidationCounts],
    as_of: datetime,
    snapshots: dict[str, SnapshotFacts],
    dropped_sources: dict[str, int],
) -> ValidationFacts:
    """Describe the clean data at a moment, and the new rows of this run."""
    moment = f"TIMESTAMPTZ {quote_literal(as_of.isoformat())}"
    known = f"event_time < {moment} AND available_at <= {moment}"
    events = delta_relation(home.clean / "events", CANONICAL["events"])
    session.execute(f"CREATE TEMP VIEW known_events AS SELECT * FROM {events} WHERE {known}")
    return ValidationFacts(
        new={table: _new_rows(counts) for table, counts in counts_by_table.items()},
        quarantine=_quarantine_facts(session, shop, home),
        events=_event_facts(session),
        days=_day_facts(session, shop),
        references=_reference_facts(session, shop, home),
        tables=_table_sizes(session, home),
        snapshots=snapshots,
        dropped_sources=dropped_sources,
    )


def _new_rows(counts: ValidationCounts) -> NewRows:
    return NewRows(
        rows=counts.rows,
        clean=counts.valid,
        quarantined=counts.quarantined,
        unusable=sum(counts.unusable.values()),
        reasons=counts.reasons,
        examples=counts.examples,
        without_user=counts.without_user,
        returns=counts.returns,
        values=counts.values,
    )


def _quarantine_facts(session: duckdb.DuckDBPyConnection, shop: Shop, home: Home) -> list[QuarantinedRows]:
    """Return rows in quarantine by table, source and reason, with a few examples, and the reason in words."""
    quarantine = delta_relation(home.quarantine, QUARANTINE)
    reasons = _records(
        session,
        f"""
        SELECT "table", source, reason, count(*) AS rows, min(row, 3) AS examples
        FROM {quarantine}
        GROUP BY ALL
        ORDER BY ALL
        """,
    )
    values = commonest_values(session, shop, f"SELECT reason, row FROM {quarantine}") if reasons else {}
    words = {
        each["reason"]: in_words(each["reason"], shop.contract, values.get(each["reason"], ())) for each in reasons
    }
    return [QuarantinedRows(**each, words=words[each["reason"]]) for each in reasons]


def _event_facts(session: duckdb.DuckDBPyConnection) -> EventFacts:
    """Return rows by type, first and last event, users, items, and the missing share of each optional column."""
    missing = ", ".join(f"count(*) FILTER ({column} IS NULL) AS {column}" for column in OPTIONAL)
    facts = _records(
        session,
        f"""
        SELECT
            count(*) AS rows,
            count(DISTINCT user_id) AS users,
            count(DISTINCT item_id) AS items,
            CAST(min(event_time) AS VARCHAR) AS first,
            CAST(max(event_time) AS VARCHAR) AS last,
            {missing}
        FROM known_events
        """,
    )[0]
    types = session.execute("SELECT event_type, count(*) FROM known_events GROUP BY 1 ORDER BY 1").fetchall()
    rows = max(facts["rows"], 1)
    shares = {column: facts.pop(column) / rows for column in OPTIONAL}
    return EventFacts(**facts, types=dict(types), missing=shares)


def _day_facts(session: duckdb.DuckDBPyConnection, shop: Shop) -> DayFacts:
    """Return rows of every day of the shop's zone from the first on, days without rows included."""
    local_day = local_day_sql("event_time", shop.zone)
    days = session.execute(f"""
        WITH counted AS (
            SELECT {local_day} AS day, count(*) AS rows FROM known_events GROUP BY day
        ),
        days AS (
            SELECT CAST(unnest(generate_series(min(day), max(day), INTERVAL 1 DAY)) AS DATE) AS day FROM counted
        )
        SELECT CAST(day AS VARCHAR), coalesce(rows, 0)
        FROM days
        LEFT JOIN counted USING (day)
        ORDER BY day
    """).fetchall()
    return DayFacts(
        first=days[0][0] if days else None,
        rows=[rows for _, rows in days],
        empty=[day for day, rows in days if rows == 0],
    )


def rows_by_day(session: duckdb.DuckDBPyConnection, home: Home, zone: ZoneInfo) -> dict[date, int]:
    """Clean events of each day of a zone that has any, whenever they were known."""
    events = delta_relation(home.clean / "events", CANONICAL["events"])
    local_day = local_day_sql("event_time", zone)
    return dict(session.execute(f"SELECT {local_day} AS day, count(*) FROM {events} GROUP BY day").fetchall())


def _reference_facts(session: duckdb.DuckDBPyConnection, shop: Shop, home: Home) -> ReferenceFacts:
    """Return shares of event rows whose item or user is unknown, and rows of items that are not merchandise."""
    items = delta_relation(home.clean / "items", CANONICAL["items"])
    users = delta_relation(home.clean / "users", CANONICAL["users"])
    counts = _records(
        session,
        f"""
        WITH catalogue AS (
            SELECT item_id, bool_and(is_merchandise) AS sold FROM {items} GROUP BY 1
        ),
        people AS (
            SELECT DISTINCT user_id, true AS known FROM {users}
        )
        SELECT
            count(*) AS rows,
            count(*) FILTER (sold IS NULL) AS unknown_items,
            count(*) FILTER (user_id IS NOT NULL AND known IS NULL) AS unknown_users,
            count(*) FILTER (NOT sold) AS not_merchandise
        FROM known_events
        LEFT JOIN catalogue USING (item_id)
        LEFT JOIN people USING (user_id)
        """,
    )[0]
    rows = max(counts["rows"], 1)
    return ReferenceFacts(
        unknown_items=counts["unknown_items"] / rows if shop.items else None,
        unknown_users=counts["unknown_users"] / rows if shop.users else None,
        not_merchandise_rows=counts["not_merchandise"],
    )


def _table_sizes(session: duckdb.DuckDBPyConnection, home: Home) -> dict[str, int]:
    return {
        table: session.execute(f"SELECT count(*) FROM {delta_relation(home.clean / table, schema)}").fetchall()[0][0]
        for table, schema in CANONICAL.items()
    }


def _records(session: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    result = session.execute(sql)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
