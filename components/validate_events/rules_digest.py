"""Digests of the settings behind clean tables: when one changes, its table is rebuilt."""

import hashlib
import json

from components.contracts.ids import nobody_words
from components.shop.settings import Shop

REVALIDATED = {"name", "event_type", "types", "lag_minutes", "live"}
CLEAN_LAYOUT = 2  # of the clean catalogue: when it changes, a home makes its own again


def digest_settings(shop: Shop, table: str) -> str:
    """Return a digest of what the shop file says about a clean table beyond how its source is read."""
    settings: object = {}
    if table == "events":
        events = [
            source.model_dump(include=REVALIDATED) | {"quantity": source.columns.quantity} for source in shop.events
        ]
        settings = [events, _row_limits(shop), *_words(shop), *_left_out(shop)]
    if table == "impressions":
        settings = [shop.impressions is not None, _row_limits(shop), *_words(shop), *_left_out(shop)]
    if table == "users":
        settings = [*_words(shop)] or {}
    if table == "items":
        rules = shop.rules.model_dump(
            include={"not_merchandise", "in_stock_only", "in_stock_words", "out_of_stock_words"}
        )
        mapped = shop.items.model_dump(exclude={"source"}) if shop.items else None
        settings = [CLEAN_LAYOUT, rules, shop.contract.max_price, mapped]
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def _words(shop: Shop) -> list[list[str]]:
    """Nothing without words, so that tables of shops that name none stand as they are."""
    return [sorted(nobody_words(shop.contract.no_user))] if shop.contract.no_user else []


def _left_out(shop: Shop) -> list[dict[str, list[str]]]:
    users = shop.contract.left_out_users
    return [{"left_out": sorted(users)}] if users else []


def _row_limits(shop: Shop) -> dict[str, float]:
    contract = shop.contract
    return {
        "quantity": contract.max_quantity,
        "price": contract.max_price,
        "future_minutes": contract.future_minutes,
        "earliest_year": contract.earliest_year,
        "max_gap_days": contract.max_gap_days,
        "tolerated_rows": contract.tolerated_rows,
    }
