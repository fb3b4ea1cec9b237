"""Counts of what was judged, and the hard limits that they must keep."""

from dataclasses import dataclass, field
from typing import Any

import duckdb

from components.contracts.shop import Contract, Shop
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
    unknown_items: int = 0  # rows whose item the catalogue lacks; counted when the contract limits them
    returns: int = 0
    unknown_types: dict[str, int] = field(default_factory=dict)  # the commonest, by how many rows have them

    @property
    def quarantined(self) -> int:
        return sum(self.reasons.values())

    @property
    def sound(self) -> int:
        return self.rows - self.quarantined


def judge_rows(session: duckdb.DuckDBPyConnection, shop: Shop, growth: Growth, catalogue: str) -> Judgement:
    """Count the new rows by reason; ``catalogue`` is SQL of the known item ids."""
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
        unknown_items=_unknown_items(session, growth, catalogue) if shop.contract.max_unknown_items < 1 else 0,
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


def _unknown_items(session: duckdb.DuckDBPyConnection, growth: Growth, catalogue: str) -> int:
    sound = f"(SELECT item_id FROM {growth.judged} WHERE reason IS NULL)"
    counted = session.execute(f"SELECT count(*) FROM {sound} ANTI JOIN ({catalogue}) USING (item_id)").fetchall()
    return int(counted[0][0])


def breaches(contract: Contract, judgement: Judgement) -> list[str]:
    """Say in words which limits the new rows pass; so few rows as the contract tolerates pass none."""
    if judgement.rows == 0:
        return []
    limits = [
        ("have no item", judgement.reasons.get(NO_ITEM, 0), contract.max_missing_items, "max_missing_items"),
        ("have no user", judgement.without_user, contract.max_missing_users, "max_missing_users"),
        (
            "have an item that the catalogue lacks",
            judgement.unknown_items,
            contract.max_unknown_items,
            "max_unknown_items",
        ),
        ("repeat an event id", judgement.reasons.get(REPEATED, 0), contract.max_duplicates, "max_duplicates"),
        (_cannot_be_used(judgement), judgement.quarantined, contract.max_quarantined, "max_quarantined"),
    ]
    return [
        f"{judgement.table}: {count:,} of {judgement.rows:,} new rows {what} (limit {limit:.4g}, contract.{key})"
        for what, count, limit, key in limits
        if count > max(limit * judgement.rows, contract.tolerated_rows)
    ]


def _cannot_be_used(judgement: Judgement) -> str:
    reasons = sorted(judgement.reasons.items(), key=lambda reason: (-reason[1], reason[0]))
    words = ", ".join(f"{count:,} {reason}{_named(judgement, reason)}" for reason, count in reasons[:3])
    return f"cannot be used: {words}"


def _named(judgement: Judgement, reason: str) -> str:
    """The values that were not understood, where the shop file can say what they mean."""
    if reason != UNKNOWN_TYPE or not judgement.unknown_types:
        return ""
    named = ", ".join(f"{value!r} {count:,} times" for value, count in judgement.unknown_types.items())
    return f" ({named}; `events.types` in the shop file translates them)"
