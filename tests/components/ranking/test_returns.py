"""Ratios and shares of net counts stay in their ranges for any mix of sales and returns."""

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from components.ranking.candidates import candidate_pool, generate_candidates
from components.ranking.features import FEATURE_NAMES, ranking_features
from components.ranking.rows import ItemRows, UserRows, item_rows, user_rows
from components.shop.settings import Candidates
from tests.components.features.frames import PLAIN, clean_tables, event, snapshots

SHAPE = replace(PLAIN, category_levels=1, dated_catalogue=False)
CATALOGUE = [{"item_id": f"i{n}", "category": [f"c{n % 3}"], "brand": f"b{n % 2}"} for n in range(9)]
ROUNDING = 1e-5
SHARES = (
    "own_decay_56_share",
    "own_trip_decay_97_share",
    "own_trip_decay_97_relative",
    "own_decay_per_trip",
    "own_share_of_trips",
    "own_share_of_weeks",
    "own_share_of_weeks_56d",
    "category_own_share",
    "category_share_of_weeks",
    "branded_category_own_share",
    "branded_category_share_of_weeks",
    "item_new_buyer_share",
    "item_share_of_category",
    "item_share_of_branded_category",
    "price_discount_share_28d",
    "price_discount_share_7d",
    "user_repeat_share",
)
BOUNDED = {**dict.fromkeys(SHARES, 1.0), "item_trend": 4.0, "item_trend_long": 4.0}
NOT_NEGATIVE = [
    name
    for name in FEATURE_NAMES
    if any(word in name for word in ("rate", "due", "used_up", "price", "hazard", "gap", "trend", "repeat_buyers"))
]


def mixed_events(seed: int) -> list[dict[str, Any]]:
    """Sales and returns of a few customers, half of them on orders, at prices below, at and above the listed one."""
    draw = random.Random(seed)
    return [
        event(
            draw.uniform(0, 120),
            draw.choice(["ann", "bob", "cas", None]),
            f"i{draw.randrange(9)}",
            draw.choice(["purchase", "return"]),
            quantity=draw.choice([1.0, 3.0]),
            price=draw.choice([5.0, 9.0, 30.0]),
            list_price=10.0,
            session_id=draw.choice([None, f"o{draw.randrange(20)}"]),
        )
        for _ in range(250)
    ]


def rows_at(events: list[dict[str, Any]], day: float) -> tuple[UserRows, ItemRows]:
    views = snapshots(clean_tables(events, CATALOGUE), day, SHAPE)
    items = item_rows(views["item_features"])
    return user_rows(views["user_features"], items), items


@pytest.mark.parametrize("seed", range(4))
def test_ratios_and_shares_stay_in_their_ranges_for_any_returns(seed: int) -> None:
    users, items = rows_at(mixed_events(seed), 121)
    pairs = generate_candidates(users, items, Candidates(popular=9))
    features = dict(zip(FEATURE_NAMES, ranking_features(users, items, pairs).T, strict=True))

    below = {name for name in {*BOUNDED, *NOT_NEGATIVE} if np.nanmin(features[name], initial=0) < 0}
    above = {name for name, limit in BOUNDED.items() if np.nanmax(features[name], initial=0) > limit + ROUNDING}
    assert (below, above) == (set(), set())


def test_an_item_with_returns_only_falls_fastest_and_is_not_trending() -> None:
    sold = [event(day + n / 10, f"u{n}", f"i{n % 4}") for day in range(100) for n in range(4)]
    bought = [event(1, f"u{n}", "i8") for n in range(14)]
    recalled = [event(85 + n, f"u{n}", "i8", "return") for n in range(14)]
    _, items = rows_at([*sold, *bought, *recalled], 100)

    trend = dict(zip(items.item_ids, items.columns["trend"], strict=True))
    trending = items.item_ids[candidate_pool(items, Candidates(trending=9)).best["trending"]]

    assert min(trend, key=trend.__getitem__) == "i8"
    assert set(trending) == {"i0", "i1", "i2", "i3"}
