"""Counts of the validated rows, and the hard limits that they must keep."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb

from components.shop.settings import Contract, Shop
from components.validate_events.findings.reasons import Values, commonest_values, reason_words
from components.validate_events.rows.checks import LEFT_OUT, NO_ITEM, REPEATED
from components.validate_events.rows.pending_rows import PendingRows

EXAMPLES = 3


@dataclass(frozen=True)
class ValidationCounts:
    """Counts of the new rows of a growing table."""

    table: str
    rows: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)  # a few rows as JSON, by reason
    without_user: int = 0
    returns: int = 0
    values: Values = field(default_factory=dict)  # the commonest values behind a reason, with their rows

    @property
    def quarantined(self) -> int:
        return sum(self.reasons.values())

    @property
    def valid(self) -> int:
        return self.rows - self.quarantined

    @property
    def unusable(self) -> dict[str, int]:
        """Return the reasons of rows that are set aside without a setting that asks for it."""
        return {reason: rows for reason, rows in self.reasons.items() if reason != LEFT_OUT}


def count_rows(session: duckdb.DuckDBPyConnection, shop: Shop, pending: PendingRows) -> ValidationCounts:
    """Count the new rows by reason."""
    if pending.is_empty:
        return ValidationCounts(pending.table)
    returns = "count(*) FILTER (event_type = 'return')" if pending.table == "events" else "0"
    counts: list[tuple[Any, ...]] = session.execute(f"""
        SELECT reason, count(*), count(*) FILTER (user_id IS NULL), {returns}
        FROM {pending.validated}
        GROUP BY reason
        ORDER BY reason
    """).fetchall()
    reasons = {row[0]: row[1] for row in counts if row[0] is not None}
    return ValidationCounts(
        table=pending.table,
        rows=sum(row[1] for row in counts),
        reasons=reasons,
        examples=_examples(session, pending) if reasons else {},
        without_user=sum(row[2] for row in counts),
        returns=sum(row[3] for row in counts if row[0] is None),
        values=commonest_values(session, shop, _rejected(pending)) if reasons else {},
    )


def _examples(session: duckdb.DuckDBPyConnection, pending: PendingRows) -> dict[str, list[str]]:
    sql = f"SELECT reason, min(row, {EXAMPLES}) FROM ({_rejected(pending)}) GROUP BY reason"
    return dict(session.execute(sql).fetchall())


def _rejected(pending: PendingRows) -> str:
    return f"SELECT reason, row FROM {pending.validated} WHERE reason IS NOT NULL"


def breaches(contract: Contract, counts: ValidationCounts) -> list[str]:
    """Say in words which limits the new rows exceed; a run tolerates up to `contract.tolerated_rows` bad rows."""
    if counts.rows == 0:
        return []
    limits = [
        ("have no item", counts.reasons.get(NO_ITEM, 0), contract.max_missing_items, "max_missing_items"),
        ("have no user", counts.without_user, contract.max_missing_users, "max_missing_users"),
        ("repeat an event id", counts.reasons.get(REPEATED, 0), contract.max_duplicates, "max_duplicates"),
        (
            f"cannot be used: {reason_words(counts.unusable, contract, counts.values)}",
            sum(counts.unusable.values()),
            contract.max_quarantined,
            "max_quarantined",
        ),
    ]
    return [
        f"{counts.table}: {count:,} of {counts.rows:,} new rows {what} ({limit_words(limit, key)})"
        for what, count, limit, key in limits
        if is_exceeded(contract, limit, count, counts.rows)
    ]


def rejection_warnings(contract: Contract, counts: ValidationCounts) -> Iterator[str]:
    """Warn of new rows that are set aside without exceeding a limit, except for repeated rows."""
    reasons = {reason: rows for reason, rows in counts.unusable.items() if reason != REPEATED}
    if reasons:
        count, words = sum(reasons.values()), reason_words(reasons, contract, counts.values)
        yield f"{counts.table}: {count:,} of {counts.rows:,} new rows are set aside: {words}"


def is_exceeded(contract: Contract, limit: float, count: int, rows: int) -> bool:
    """Return whether a count is above its limit, a share of the rows, and above the tolerated rows."""
    return count > max(limit * rows, contract.tolerated_rows)


def limit_words(limit: float, key: str) -> str:
    """Name a limit of the contract by its key and value."""
    return f"limit {limit:.4g}, contract.{key}"
