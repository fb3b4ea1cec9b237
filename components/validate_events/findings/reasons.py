"""Reasons in words: the rejected values, the key and value of the limit, and the setting that would accept them."""

from collections.abc import Mapping, Sequence

import duckdb

from components.lake.session import json_cell, quote_literal
from components.lake.zones import NEVER, TWICE
from components.shop.settings import Contract, EventColumns, Shop
from components.validate_events.rows.checks import UNKNOWN_TYPE
from components.validate_events.rows.clocks import FAR_AFTER, FAR_BEFORE

SHOWN_VALUES = 3
SHOWN_CHARACTERS = 40
UNREADABLE = "unreadable "
Values = Mapping[str, Sequence[tuple[str, int]]]


def commonest_values(session: duckdb.DuckDBPyConnection, shop: Shop, rejected: str) -> Values:
    """Return the commonest values behind each reason; ``rejected`` is SQL of rows with reason and row (JSON)."""
    reasons = [reason for (reason,) in session.execute(f"SELECT DISTINCT reason FROM ({rejected})").fetchall()]
    cells = {reason: cell for reason in reasons if reason and (cell := _cell(shop, reason))}
    if not cells:
        return {}
    cases = " ".join(f"WHEN {quote_literal(reason)} THEN {cell}" for reason, cell in cells.items())
    counts = session.execute(f"""
        SELECT *
        FROM (
            SELECT reason, left(CASE reason {cases} END, {SHOWN_CHARACTERS}) AS value, count(*) AS rows
            FROM ({rejected})
            GROUP BY 1, 2
        )
        WHERE value IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY reason ORDER BY rows DESC, value) <= {SHOWN_VALUES}
        ORDER BY reason, rows DESC, value
    """).fetchall()
    values: dict[str, list[tuple[str, int]]] = {}
    for reason, value, rows in counts:
        values.setdefault(reason, []).append((value, rows))
    return values


def _cell(shop: Shop, reason: str) -> str | None:
    """Return SQL of the cell that a reason is about, in a row as JSON; None if it is about none."""
    price, list_price = _json("price"), _json("list_price")
    number = f"TRY_CAST({price} AS DOUBLE)"
    limits = {
        "price beyond the limit": f"CASE WHEN abs({number}) > {shop.contract.max_price!r} "
        f"THEN {price} ELSE {list_price} END",
        "negative price": f"CASE WHEN {number} < 0 THEN {price} ELSE {list_price} END",
        "quantity beyond the limit": _json("quantity"),
        "negative quantity": _json("quantity"),
        UNKNOWN_TYPE: f"coalesce({_json('event_type')}, 'nothing')",
    }
    if reason in limits:
        return limits[reason]
    if reason.startswith(UNREADABLE):
        return _unreadable_cell(shop, reason.removeprefix(UNREADABLE).partition(" ")[0])
    word = reason.partition(" ")[0]
    named = {"time": "event_time", "position": "position", "propensity": "propensity"}.get(word)
    return named and _json(named)


def _unreadable_cell(shop: Shop, key: str) -> str | None:
    """Return SQL of the first cell that a source's key names; the raw row has the source's own columns."""
    mapped = [getattr(source.columns, key) for source in shop.events] if key in EventColumns.model_fields else []
    columns = [column for each in mapped for column in ([each] if isinstance(each, str) else each or [])]
    return f"coalesce({', '.join(map(_json, dict.fromkeys(columns)))}, NULL)" if columns else None


def _json(field: str) -> str:
    return json_cell("row", field)


def reason_words(reasons: Mapping[str, int], contract: Contract, values: Values) -> str:
    """Count rows by reason, the most frequent reasons first."""
    ordered = sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0]))
    return ", ".join(f"{count:,} {in_words(reason, contract, values.get(reason, ()))}" for reason, count in ordered[:3])


def in_words(reason: str, contract: Contract, values: Sequence[tuple[str, int]] = ()) -> str:
    """Say a reason with the key and value of its limit, the values that were found, and what would read them."""
    words = {
        "price beyond the limit": f"prices above contract.max_price = {contract.max_price:,.10g}",
        "quantity beyond the limit": f"quantities above contract.max_quantity = {contract.max_quantity:,.10g}",
        f"time before {contract.earliest_year}": f"times before contract.earliest_year = {contract.earliest_year}",
        "time in the future": "times in the future, by more than contract.future_minutes = "
        f"{contract.future_minutes:,} after they were read",
    }.get(reason, reason)
    if reason == UNKNOWN_TYPE and values:
        named = ", ".join(f"{value!r} {rows:,} times" for value, rows in values)
        return f"{words} ({named}; `events.types` in the shop file translates them)"
    shown = ", ".join(_shown(value, reason) for value, _ in values)
    return words + (f", such as {shown}" if shown else "") + _advice(reason, contract, values)


def _shown(value: str, reason: str) -> str:
    """Return a value with its thousands marked; one that could not be read as it was found."""
    if reason.startswith(UNREADABLE):
        return repr(value)
    try:
        return f"{float(value):,.10g}"
    except ValueError:
        return repr(value)


def _advice(reason: str, contract: Contract, values: Sequence[tuple[str, int]]) -> str:
    """Name the key that would read the rows, where there is one."""
    if reason.startswith("position") and any(value == "0" for value, _ in values):
        return " (they count from zero: set impressions.first_position = 0)"
    if reason in (FAR_AFTER, FAR_BEFORE):
        return f" (a gap of more than contract.max_gap_days = {contract.max_gap_days:,})"
    return {
        "unreadable time": " (`source.time_format` says how times are written)",
        NEVER: " (if these are times of another zone, such as UTC, set `source.time_zone`)",
        TWICE: " (if these are times of another zone, such as UTC, set `source.time_zone`)",
        "more cells than columns": " (`source.delimiter` and `source.quote` say how cells are parted)",
        "a quote that does not close": " (`source.quote` and `source.escape` say how quotes are written)",
    }.get(reason, "")
