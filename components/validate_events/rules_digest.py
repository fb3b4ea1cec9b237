"""Digests of the settings that clean tables rest on: when one changes, its table is made anew."""

import hashlib
import json

from components.contracts.shop import Shop

JUDGED_ANEW = {"name", "event_type", "types", "lag_minutes", "live"}


def digest_settings(shop: Shop, table: str) -> str:
    """A digest of what the shop file says about a clean table beyond how its source is read."""
    settings: object = {}
    if table == "events":
        events = [
            source.model_dump(include=JUDGED_ANEW) | {"quantity": source.columns.quantity} for source in shop.events
        ]
        settings = [events, _row_limits(shop)]
    if table == "impressions":
        settings = [shop.impressions is not None, _row_limits(shop)]
    if table == "items":
        settings = [shop.rules.not_merchandise, shop.items.model_dump(exclude={"source"}) if shop.items else None]
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def _row_limits(shop: Shop) -> dict[str, float]:
    contract = shop.contract
    return {
        "quantity": contract.max_quantity,
        "price": contract.max_price,
        "future_minutes": contract.future_minutes,
        "earliest_year": contract.earliest_year,
    }
