"""Counts of what was judged, and the hard limits that they must keep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import duckdb

from components.contracts.shop import Contract
from components.lake.session import text
from components.validate_events.growth import Growth
from components.validate_events.judging import NO_ITEM, REPEATED, UNKNOWN_TYPE

EXAMPLES = 3
SHOWN_TYPES = 5
SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class Judgement:
    """What was found in the new rows of a growing table."""

    table: str
    rows: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)  # a few rows as JSON, by reason
    without_user: int = 0
    returns: int = 0
    unknown_types: dict[str, int] = field(default_factory=dict)  # the commonest, by how many rows have them

    @property
    def quarantined(self) -> int:
        return sum(self.reasons.values())

    @property
    def sound(self) -> int:
        return self.rows - self.quarantined


def judge_rows(session: duckdb.DuckDBPyConnection, growth: Growth) -> Judgement:
    """Count the new rows by reason."""
    if growth.is_empty:
        return Judgement(growth.table)
    returns = "count(*) FILTER (event_type = 'return')" if growth.table == "events" else "0"
    found: list[tuple[Any, ...]] = session.execute(
        f"SELECT reason, count(*), count(*) FILTER (user_id IS NULL), {returns} "
        f"FROM {growth.judged} GROUP BY reason ORDER BY reason"
    ).fetchall()
    reasons = {row[0]: row[1] for row in found if row[0] is not None}
    return Judgement(
        table=growth.table,
        rows=sum(row[1] for row in found),
        reasons=reasons,
        examples=_examples(session, growth) if reasons else {},
        without_user=sum(row[2] for row in found),
        returns=sum(row[3] for row in found if row[0] is None),
        unknown_types=_unknown_types(session, growth) if UNKNOWN_TYPE in reasons else {},
    )


def _examples(session: duckdb.DuckDBPyConnection, growth: Growth) -> dict[str, list[str]]:
    rejected = f"FROM {growth.judged} WHERE reason IS NOT NULL"
    return dict(session.execute(f"SELECT reason, min(row, {EXAMPLES}) {rejected} GROUP BY reason").fetchall())


def _unknown_types(session: duckdb.DuckDBPyConnection, growth: Growth) -> dict[str, int]:
    written = "coalesce(json_extract_string(row, '$.event_type'), 'nothing')"
    counted = (
        f"SELECT left({written}, {SHOWN_CHARACTERS}) AS type, count(*) FROM {growth.judged} "
        f"WHERE reason = {text(UNKNOWN_TYPE)} GROUP BY type ORDER BY count(*) DESC, type LIMIT {SHOWN_TYPES}"
    )
    return dict(session.execute(counted).fetchall())


def breaches(contract: Contract, judgement: Judgement) -> list[str]:
    """Say in words which limits the new rows pass; so few rows as the contract tolerates pass none."""
    if judgement.rows == 0:
        return []
    limits = [
        ("have no item", judgement.reasons.get(NO_ITEM, 0), contract.max_missing_items, "max_missing_items"),
        ("have no user", judgement.without_user, contract.max_missing_users, "max_missing_users"),
        ("repeat an event id", judgement.reasons.get(REPEATED, 0), contract.max_duplicates, "max_duplicates"),
        (
            f"cannot be used: {reason_words(judgement.reasons, _named(judgement))}",
            judgement.quarantined,
            contract.max_quarantined,
            "max_quarantined",
        ),
    ]
    return [
        f"{judgement.table}: {count:,} of {judgement.rows:,} new rows {what} ({limit_words(limit, key)})"
        for what, count, limit, key in limits
        if count > max(limit * judgement.rows, contract.tolerated_rows)
    ]


def limit_words(limit: float, key: str) -> str:
    """Name a limit of the contract by its key and value."""
    return f"limit {limit:.4g}, contract.{key}"


def reason_words(reasons: dict[str, int], named: Mapping[str, str] = MappingProxyType({})) -> str:
    """Count rows by reason, the most frequent reasons first; ``named`` adds words to a reason."""
    ordered = sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0]))
    return ", ".join(f"{count:,} {reason}{named.get(reason, '')}" for reason, count in ordered[:3])


def _named(judgement: Judgement) -> dict[str, str]:
    """The values that were not understood, where the shop file can say what they mean."""
    if not judgement.unknown_types:
        return {}
    named = ", ".join(f"{value!r} {count:,} times" for value, count in judgement.unknown_types.items())
    return {UNKNOWN_TYPE: f" ({named}; `events.types` in the shop file translates them)"}
