"""Clean items, users and promotions: the newest content of their raw tables, judged as a whole."""

from collections.abc import Sequence

from components.contracts.shop import Shop
from components.lake.session import text
from components.validate_events.identity import id_reasons

KEYS = {"items": ("item_id", "valid_from"), "users": ("user_id", "valid_from"), "promotions": ("item_id",)}
WORDS = {"items": "item", "users": "user", "promotions": "item"}


def judged_snapshot(table: str, raw: str) -> str:
    """SQL of a raw snapshot's rows with ``reason`` (null where sound) and ``row`` (JSON as it was found).

    Of sound rows with equal keys the first in the order of their content is kept.
    """
    key = KEYS[table][0]
    checks = f"WHEN problem IS NOT NULL THEN problem WHEN {key} IS NULL THEN 'no {WORDS[table]}' {id_reasons([key])}"
    if table == "promotions":
        checks += " WHEN ends_at <= starts_at THEN 'ends before it starts'"
        return f"SELECT *, CASE {checks} END AS reason, {_row()} AS row FROM {raw} AS source_row"
    place = f"row_number() OVER (PARTITION BY {', '.join(KEYS[table])}, first_reason ORDER BY row)"
    shown = f"SELECT *, CASE {checks} END AS first_reason, {_row()} AS row FROM {raw} AS source_row"
    return (
        f"SELECT *, CASE WHEN first_reason IS NOT NULL THEN first_reason "
        f"WHEN {place} > 1 THEN 'repeated {WORDS[table]}' END AS reason FROM ({shown})"
    )


def _row() -> str:
    return "coalesce(found, CAST(to_json(source_row) AS VARCHAR))"


def clean_columns(shop: Shop, table: str) -> str:
    """The select list that turns judged rows into the canonical table."""
    if table == "users":
        return "user_id, attributes, valid_from"
    if table == "promotions":
        return "item_id, starts_at, ends_at, reach"
    path = "list_slice(category, 1, coalesce(list_position(category, NULL) - 1, len(category)))"
    return (
        f"item_id, {path} AS category, brand, price, title, attributes, "
        f"NOT coalesce({_is_excluded(shop)}, false) AS is_merchandise, valid_from"
    )


def excluded_items(shop: Shop, judged: str) -> str:
    """SQL of canonical rows for items that the rules exclude by id and the catalogue lacks."""
    named = shop.rules.not_merchandise.get("item", ())
    listed = ", ".join(text(item) for item in named)
    return (
        f"SELECT item_id, CAST([] AS VARCHAR[]) AS category, NULL AS brand, NULL AS price, NULL AS title, "
        "CAST(MAP {} AS MAP(VARCHAR, VARCHAR)) AS attributes, false AS is_merchandise, "
        "TIMESTAMPTZ '1970-01-01 00:00:00+00' AS valid_from "
        f"FROM (SELECT DISTINCT unnest(CAST([{listed}] AS VARCHAR[])) AS item_id) "
        f"ANTI JOIN (SELECT item_id FROM ({judged}) WHERE reason IS NULL) USING (item_id)"
    )


def _is_excluded(shop: Shop) -> str:
    rules = [_rule(shop, column, values) for column, values in shop.rules.not_merchandise.items()]
    return " OR ".join(f"coalesce({rule}, false)" for rule in rules) or "false"


def _rule(shop: Shop, column: str, values: Sequence[str]) -> str:
    listed = ", ".join(text(value) for value in values)
    return f"{_rule_value(shop, column)} IN ({listed})" if values else "false"


def _rule_value(shop: Shop, column: str) -> str:
    """SQL of a catalogue column, named as in the source, in the canonical table."""
    items = shop.items
    if items is None or column in ("item", items.item):
        return "item_id"
    if column in items.category:
        return f"category[{items.category.index(column) + 1}]"
    if column in items.attributes:
        return f"attributes[{text(column)}]"
    return {items.brand: "brand", items.title: "title", items.price: "CAST(price AS VARCHAR)"}[column]
