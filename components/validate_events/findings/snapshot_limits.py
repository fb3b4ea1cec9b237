"""Limits of the catalogue, the customers and the promotions, and warnings of bad rows within the limits."""

from collections.abc import Iterator

from components.contracts.steps.facts import SnapshotFacts
from components.lake.number_signs import number_hint
from components.shop.settings import Contract, Shop
from components.validate_events.findings.limits import is_exceeded, limit_words
from components.validate_events.findings.reasons import reason_words
from components.validate_events.rows.snapshots import repeated

SHOWN = 200  # letters of an example row


def snapshot_breaches(shop: Shop, table: str, findings: SnapshotFacts) -> list[str]:
    """Say in words which limits the rows of a snapshot table exceed."""
    contract, rows = shop.contract, findings.rows
    if rows == 0:
        return []
    repeats = findings.reasons.get(repeated(table), 0) if table != "promotions" else 0
    aside = sum(findings.reasons.values()) - repeats
    limits = [
        (
            f"cannot be used: {reason_words(findings.reasons, contract, {})}",
            aside,
            contract.max_quarantined,
            "max_quarantined",
        ),
        ("repeat an id", repeats, contract.max_duplicates, "max_duplicates"),
    ]
    breaches = [
        f"{table}: {count:,} of {rows:,} rows {what} ({limit_words(limit, key)})"
        for what, count, limit, key in limits
        if is_exceeded(contract, limit, count, rows) or (count == rows and limit < 1)
    ]
    return [*breaches, *_bad_cell_breaches(contract, table, findings), *_nothing_in_stock(shop, findings)]


def _bad_cell_breaches(contract: Contract, table: str, findings: SnapshotFacts) -> Iterator[str]:
    limit, rows = contract.max_bad_cells, findings.rows
    cells = findings.bad_cells | {"price": findings.bad_cells.get("price", 0) + findings.implausible_prices}
    cells |= {"stock": findings.stock.get("unknown", 0)}
    for column, count in cells.items():
        if is_exceeded(contract, limit, count, rows):
            words = f"{column} cells of {rows:,} rows cannot be read"
            yield f"{table}: {count:,} {words} ({limit_words(limit, 'max_bad_cells')})"


def _nothing_in_stock(shop: Shop, findings: SnapshotFacts) -> Iterator[str]:
    if not findings.stock or findings.stock.get("yes"):
        return
    stock, flag = findings.stock, shop.rules.in_stock_only
    known = f"{stock.get('no', 0):,} say no, {stock.get('missing', 0):,} are empty"
    if "unknown" in stock:
        known += f", {stock['unknown']:,} are not understood: {_valued(findings.unknown_stock)}"
    yield (
        f"items: none of {sum(stock.values()):,} items is in stock by rules.in_stock_only = {flag!r} ({known}), "
        "so that nothing could be recommended; correct the column, or list its values for yes under "
        "rules.in_stock_words"
    )


def snapshot_warnings(shop: Shop, table: str, findings: SnapshotFacts) -> Iterator[str]:
    """Say in words which rows, cells and rules of a snapshot table are set aside, unreadable or without effect."""
    if aside := sum(findings.reasons.values()):
        example = next(iter(findings.examples.values()))[0]
        words = reason_words(findings.reasons, shop.contract, {})
        exclusion = "; what they say of exclusion counts" if table == "items" else ""
        rows = f"{aside:,} of {findings.rows:,} rows"
        yield f"{table}: {rows} are set aside ({words}), such as {_short(example)}{exclusion}"
    for column, count in findings.bad_cells.items():
        yield (
            f"{table}: {count:,} of {findings.rows:,} cells of {column} cannot be read, such as "
            f"{_listed(findings.cells[column])}; {_effect(column)}; {_remedy(table, column, findings)}"
        )
    if findings.implausible_prices:
        yield (
            f"items: {findings.implausible_prices:,} prices below 0 or above contract.max_price = "
            f"{shop.contract.max_price:,.0f}, such as {_listed(findings.prices)}; they count as missing"
        )
    yield from _stock_warnings(shop, findings)
    for column, missing in findings.unused_rules.items():
        yield from _rule_warnings(column, missing)


def _remedy(table: str, column: str, findings: SnapshotFacts) -> str:
    if column == "valid_from":
        return f"`{table}.source.time_format` says how times are written"
    hint = number_hint(findings.cells[column])
    return f"they have {hint}" if hint else f"correct the column, or what `{table}.{column}` names"


def _effect(column: str) -> str:
    return "these rows hold since always" if column == "valid_from" else "they count as missing"


def _stock_warnings(shop: Shop, findings: SnapshotFacts) -> Iterator[str]:
    flag, rows = shop.rules.in_stock_only, sum(findings.stock.values())
    if unknown := findings.stock.get("unknown"):
        yield (
            f"items: {unknown:,} of {rows:,} values of {flag!r} (rules.in_stock_only) are not understood: "
            f"{_valued(findings.unknown_stock)}; these items count as out of stock; list the values under "
            "rules.in_stock_words or rules.out_of_stock_words"
        )
    if missing := findings.stock.get("missing"):
        yield f"items: {missing:,} of {rows:,} rows have no {flag!r} (rules.in_stock_only) and count as out of stock"


def _rule_warnings(column: str, missing: dict[str, str]) -> Iterator[str]:
    for value, near in missing.items():
        hint = f"some have {near!r}" if near else "so that the rule excludes nothing"
        yield f"rules.not_merchandise.{column}: no row of the catalogue has {value!r}; {hint}"


def _valued(values: dict[str, int]) -> str:
    return ", ".join(f"{value!r} ({count:,})" for value, count in values.items())


def _listed(examples: list[str] | list[float]) -> str:
    return ", ".join(repr(each) if isinstance(each, str) else f"{each:,.10g}" for each in examples)


def _short(row: str) -> str:
    return row if len(row) <= SHOWN else f"{row[:SHOWN]}…"
