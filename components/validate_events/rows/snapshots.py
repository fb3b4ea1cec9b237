"""Clean items, users and promotions: the newest content of their raw tables, validated as a whole.

All rows of an item decide whether it is excluded, also rows that are set aside.
"""

from collections.abc import Sequence

from components.lake.session import quote_literal
from components.shop.settings import Contract, Shop
from components.validate_events.rows.codes import code, flag
from components.validate_events.rows.identity import id_reasons

KEYS = {"items": ("item_id", "valid_from"), "users": ("user_id", "valid_from"), "promotions": ("item_id",)}
WORDS = {"items": "item", "users": "user", "promotions": "item"}
ALWAYS = "TIMESTAMPTZ '1970-01-01 00:00:00+00'"
UNDATED = "map_contains(bad_cells, 'valid_from')"


def repeated(table: str) -> str:
    """Return the reason of a row whose key an earlier one has."""
    return f"repeated {WORDS[table]}"


def validated_snapshot(shop: Shop, table: str, raw: str) -> str:
    """Return SQL of a raw snapshot's rows with ``reason`` (null where valid) and ``row`` (JSON as it was found).

    Of valid rows with equal keys one without bad cells is kept, the first in the order of their content.
    Items also have ``is_merchandise``.
    """
    key = KEYS[table][0]
    checks = f"""
        WHEN problem IS NOT NULL THEN problem
        WHEN {key} IS NULL THEN 'no {WORDS[table]}'
        {id_reasons([key])}
    """
    if table == "promotions":
        checks += "WHEN ends_at <= starts_at THEN 'ends before it starts'"
        return f"SELECT *, CASE {checks} END AS reason, {_row()} AS row FROM {raw} AS source_row"
    is_merchandise = f", {_is_merchandise(shop)} AS is_merchandise" if table == "items" else ""
    return f"""
        SELECT
            *{is_merchandise},
            CASE
                WHEN first_reason IS NOT NULL THEN first_reason
                WHEN row_number() OVER (
                    PARTITION BY {", ".join(KEYS[table])}, first_reason ORDER BY cardinality(bad_cells), row
                ) > 1 THEN {quote_literal(repeated(table))}
            END AS reason
        FROM (SELECT *, CASE {checks} END AS first_reason, {_row()} AS row FROM {raw} AS source_row)
    """


def _row() -> str:
    return "coalesce(found, CAST(to_json(source_row) AS VARCHAR))"


def _is_merchandise(shop: Shop) -> str:
    """Return SQL over all rows of an item: none of the same time excludes it, nor any whose time cannot be read."""
    excluded = _is_excluded(shop)
    return f"""
        NOT (
            bool_or({excluded}) OVER (PARTITION BY item_id, valid_from)
            OR bool_or({excluded} AND {UNDATED}) OVER (PARTITION BY item_id)
        )
    """


def clean_columns(shop: Shop, table: str) -> str:
    """Return the select list that turns validated rows into the canonical table."""
    if table == "users":
        return "user_id, attributes, valid_from"
    if table == "promotions":
        return "item_id, starts_at, ends_at, reach"
    return f"""
        item_id,
        list_slice(category, 1, coalesce(list_position(category, NULL) - 1, len(category))) AS category,
        brand,
        CASE WHEN NOT ({implausible_price(shop.contract)}) THEN price END AS price,
        title,
        {_attributes(shop)} AS attributes,
        is_merchandise,
        valid_from
    """


def implausible_price(contract: Contract) -> str:
    """Return SQL that is true for a catalogue price that cannot be one."""
    return f"(price < 0 OR price > {contract.max_price!r})"


def stock_cell(shop: Shop) -> str:
    """Return SQL of the cell that says whether an item is in stock, as it was found."""
    return f"attributes[{quote_literal(str(shop.rules.in_stock_only))}]"


def _attributes(shop: Shop) -> str:
    """Return SQL of the attributes, the stock flag as ``true`` or ``false``; without it where it is not understood."""
    if shop.rules.in_stock_only is None:
        return "attributes"
    value = f"""
        CASE
            WHEN entry.key = {quote_literal(shop.rules.in_stock_only)}
                THEN CAST({flag("entry.value", shop.rules)} AS VARCHAR)
            ELSE entry.value
        END
    """
    entry = f"struct_pack(key := entry.key, value := {value})"
    entries = f"list_transform(map_entries(attributes), lambda entry: {entry})"
    return f"map_from_entries(list_filter({entries}, lambda entry: entry.value IS NOT NULL))"


def excluded_items(shop: Shop, validated: str) -> str:
    """Return SQL of canonical rows without a start, for items that the rules exclude and the catalogue does not.

    These are ids that the rules list and the catalogue lacks, items whose rows are all set aside, and items whose
    first row is dated and excludes them.
    """
    rule_items = ", ".join(quote_literal(item) for item in shop.rules.not_merchandise.get("item", ()))
    valid = f"(SELECT * FROM {validated} WHERE reason IS NULL)"
    without_valid_rows = f"""
        SELECT *
        FROM (
            SELECT unnest(CAST([{rule_items}] AS VARCHAR[])) AS item_id
            UNION
            SELECT item_id FROM {validated} WHERE item_id IS NOT NULL AND NOT is_merchandise
        )
        ANTI JOIN {valid} USING (item_id)
    """
    dated = f"""
        SELECT item_id
        FROM {valid}
        GROUP BY item_id
        HAVING min(valid_from) > {ALWAYS} AND NOT arg_min(is_merchandise, valid_from)
    """
    return f"""
        SELECT
            item_id,
            CAST([] AS VARCHAR[]) AS category,
            NULL AS brand,
            NULL AS price,
            NULL AS title,
            CAST(MAP {{}} AS MAP(VARCHAR, VARCHAR)) AS attributes,
            false AS is_merchandise,
            {ALWAYS} AS valid_from
        FROM ({without_valid_rows} UNION ALL {dated})
    """


def _is_excluded(shop: Shop) -> str:
    rules = [excluded_by(shop, column, values) for column, values in shop.rules.not_merchandise.items() if values]
    return f"({' OR '.join(rules) or 'false'})"


def excluded_by(shop: Shop, column: str, values: Sequence[str]) -> str:
    """Return SQL that is true for the catalogue rows that a rule excludes; what a bad cell held counts too."""
    value = rule_value(shop, column)
    if value == "item_id":
        return f"coalesce(item_id IN ({', '.join(map(quote_literal, values))}), false)"
    return f"coalesce({code(value)} IN ({', '.join(code(quote_literal(each)) for each in values)}), false)"


def rule_value(shop: Shop, column: str) -> str:
    """Return SQL of a catalogue column, named as in the source, in the raw table."""
    items = shop.items
    if items is None or column in ("item", items.item):
        return "item_id"
    if column in items.category:
        return f"category[{items.category.index(column) + 1}]"
    if column in items.attributes:
        return f"attributes[{quote_literal(column)}]"
    price = "coalesce(CAST(price AS VARCHAR), bad_cells['price'])"
    return {items.brand: "brand", items.title: "title", items.price: price}[column]
