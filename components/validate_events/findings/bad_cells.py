"""Rows and cells of a snapshot table that cannot be used: counted, with examples, when the table is validated."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import duckdb

from components.contracts.steps.facts import SnapshotFacts
from components.lake.id_sql import means_nobody_sql
from components.shop.settings import Shop
from components.validate_events.rows.codes import flag
from components.validate_events.rows.snapshots import excluded_by, implausible_price, rule_value, stock_cell

EXAMPLES = 3
VALUES = 5  # of a stock flag that are named
COMPARED_VALUES = 2_000  # of a column, with a rule's value that it lacks
SIMILAR = 0.8  # of difflib's ratio


def measure_snapshot(session: duckdb.DuckDBPyConnection, shop: Shop, table: str, validated: str) -> SnapshotFacts:
    """Count the rows and cells of a validated snapshot table that cannot be used."""
    facts = _reasons(session, validated)
    if table in ("items", "users"):
        facts |= _bad_cells(session, validated)
    if table == "items":
        facts |= _prices(session, shop, validated) | _stock(session, shop, validated) | _rules(session, shop, validated)
    return SnapshotFacts(**facts)


def _reasons(session: duckdb.DuckDBPyConnection, validated: str) -> dict[str, Any]:
    sql = f"SELECT reason, count(*), min(row, {EXAMPLES}) FROM {validated} GROUP BY reason ORDER BY reason"
    counts = session.execute(sql).fetchall()
    return {
        "rows": sum(rows for _, rows, _ in counts),
        "reasons": {reason: rows for reason, rows, _ in counts if reason is not None},
        "examples": {reason: examples for reason, _, examples in counts if reason is not None},
    }


def _bad_cells(session: duckdb.DuckDBPyConnection, validated: str) -> dict[str, Any]:
    counts = session.execute(f"""
        SELECT cell.key, count(*), min(DISTINCT cell.value, {EXAMPLES})
        FROM (SELECT unnest(map_entries(bad_cells)) AS cell FROM {validated})
        GROUP BY 1
        ORDER BY 1
    """).fetchall()
    return {
        "bad_cells": {column: rows for column, rows, _ in counts},
        "cells": {column: examples for column, _, examples in counts},
    }


def _prices(session: duckdb.DuckDBPyConnection, shop: Shop, validated: str) -> dict[str, Any]:
    sql = f"SELECT count(*), min(DISTINCT price, {EXAMPLES}) FROM {validated} WHERE {implausible_price(shop.contract)}"
    rows, prices = session.execute(sql).fetchall()[0]
    return {"implausible_prices": rows, "prices": prices or []}


def _stock(session: duckdb.DuckDBPyConnection, shop: Shop, validated: str) -> dict[str, Any]:
    if shop.rules.in_stock_only is None:
        return {}
    cell = stock_cell(shop)
    means = flag(cell, shop.rules)
    newest = f"""
        SELECT
            {cell} AS cell,
            CASE
                WHEN coalesce({means_nobody_sql(cell)}, true) THEN 'missing'
                WHEN {means} THEN 'yes'
                WHEN NOT {means} THEN 'no'
                ELSE 'unknown'
            END AS stock
        FROM {validated}
        WHERE reason IS NULL
        QUALIFY row_number() OVER (PARTITION BY item_id ORDER BY valid_from DESC) = 1
    """
    counts = dict(session.execute(f"SELECT stock, count(*) FROM ({newest}) GROUP BY 1 ORDER BY 1").fetchall())
    unknown = session.execute(f"""
        SELECT cell, count(*)
        FROM ({newest})
        WHERE stock = 'unknown'
        GROUP BY 1
        ORDER BY 2 DESC, 1
        LIMIT {VALUES}
    """).fetchall()
    return {"stock": counts, "unknown_stock": dict(unknown)}


def _rules(session: duckdb.DuckDBPyConnection, shop: Shop, validated: str) -> dict[str, Any]:
    """Find values of exclusion rules that no row has, if a row has a similar value or none of the rule's values."""
    unused: dict[str, dict[str, str]] = {}
    for column, values in shop.rules.not_merchandise.items():
        if values and rule_value(shop, column) != "item_id":
            missing = _missing_values(session, shop, validated, column, values)
            if len(missing) < len(values):
                missing = {value: near for value, near in missing.items() if near}
            unused |= {column: missing} if missing else {}
    return {"unused_rules": unused}


def _missing_values(
    session: duckdb.DuckDBPyConnection, shop: Shop, validated: str, column: str, values: Sequence[str]
) -> dict[str, str]:
    """Return the values that no row has in a column, each with the most similar one that some row has."""
    tests = ", ".join(f"bool_or({excluded_by(shop, column, [value])})" for value in values)
    occurs = session.execute(f"SELECT {tests} FROM {validated}").fetchall()[0]
    missing = [value for value, has_row in zip(values, occurs, strict=True) if not has_row]
    cell = rule_value(shop, column)
    sql = f"SELECT DISTINCT {cell} FROM {validated} WHERE {cell} IS NOT NULL ORDER BY 1 LIMIT {COMPARED_VALUES}"
    present = [value for (value,) in session.execute(sql).fetchall()] if missing else []
    return {value: next(iter(get_close_matches(value, present, 1, SIMILAR)), "") for value in missing}
