"""The shop's settings that decide the columns of the feature views, and so are part of their revision."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.shop.settings import Shop

BROWSING = ("view", "click", "add_to_cart")


@dataclass(frozen=True)
class FeatureSettings:
    """The settings that decide which columns the views have and what they mean."""

    success: tuple[str, ...]
    browsing: tuple[str, ...]  # the shop's browsing event types
    category_levels: int
    dated_catalogue: bool  # whether a catalogue row has a time from which it is valid
    user_attributes: tuple[str, ...]
    not_merchandise: tuple[str, ...]  # item ids that the shop file itself says are not merchandise
    in_stock: str | None  # item attribute that says whether an item can be had
    promotions: bool
    promotions_known_ahead: bool
    horizon_days: int
    max_history: int
    neighbours: int
    time_zone: str = "UTC"  # in which a day ends
    session_hours: float = 6.0  # without a purchase, after which the same session id is another session


def feature_settings(shop: Shop) -> FeatureSettings:
    """Take the settings of the feature views from a shop file."""
    declared = {kind for source in shop.events for kind in source.declared_types}
    return FeatureSettings(
        success=shop.success,
        browsing=tuple(kind for kind in BROWSING if kind in declared and kind not in shop.success),
        category_levels=len(shop.items.category) if shop.items else 0,
        dated_catalogue=shop.items is not None and shop.items.valid_from is not None,
        user_attributes=shop.users.attributes if shop.users else (),
        not_merchandise=shop.rules.not_merchandise.get("item", ()),
        in_stock=shop.rules.in_stock_only,
        promotions=shop.promotions is not None,
        promotions_known_ahead=shop.promotions is not None and shop.promotions.known_ahead,
        horizon_days=shop.horizon_days,
        max_history=shop.features.max_history,
        neighbours=shop.features.neighbours,
        time_zone=shop.time_zone,
        session_hours=shop.features.session_hours,
    )


def parse_feature_settings(document: Mapping[str, Any]) -> FeatureSettings:
    """Read settings from a JSON document."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
    }
    return FeatureSettings(**values)
