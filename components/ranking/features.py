"""Ranking features: one line each, user x item, from point-in-time rows in training and online rows in serving.

To add one, write a line in ``FEATURES`` and a test that pins it; ``CONTRIBUTING.md`` shows it. A feature whose name
starts with ``user_`` is the same for all candidates of a request.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from components.ranking.candidates import SOURCES
from components.ranking.pair_columns import PairColumns, nan_to_zero
from components.ranking.pairs import Pairs
from components.ranking.rows import Floats, ItemRows, UserRows

FEATURE_LIST_VERSION = 1  # raise it when a feature of the same name means something else, or candidates are others
TRIP_DECAY = 0.966  # weight of a shopping trip for each later one
HALF_LIFE_DAYS = 56.0
PRIOR_PURCHASES = 0.5  # of the gamma prior of a repurchase rate

Feature = Callable[[PairColumns], Floats]


@dataclass(frozen=True)
class RankAmongCandidates:
    """The number of the user's candidates with a higher value of a feature; one sort computes all such ranks.

    ``among`` names a group of items, such as ``category``: then those of the same group are compared.
    """

    of: Feature
    among: str | None = None

    def __call__(self, p: PairColumns) -> Floats:
        """Compute this one alone."""
        return p.ranks(self.of(p)[None], [self.among])[0]


def _once(column: Feature) -> Feature:
    """Compute a column once for the features that share it."""
    return lambda p: p.once(column)


@_once
def _rate_by_days(p: PairColumns) -> Floats:
    """Posterior rate of repurchase a day: a gamma prior with the item's rate, the user's repeats since the first."""
    repeats, days, rate = p.user_item("trips") - 1, p.user_item("days_since_first"), p.item("repurchase_rate")
    return nan_to_zero((repeats + PRIOR_PURCHASES) / (days + PRIOR_PURCHASES / rate))


@_once
def _rate_by_trips(p: PairColumns) -> Floats:
    """Posterior rate of repurchase a shopping trip."""
    repeats, trips, rate = (
        p.user_item("trips") - 1,
        p.user_item("trips_since_first") + 1,
        p.item("repurchase_rate_trips"),
    )
    return nan_to_zero((repeats + PRIOR_PURCHASES) / (trips + PRIOR_PURCHASES / rate))


@_once
def _recent_rate_by_days(p: PairColumns) -> Floats:
    """As ``_rate_by_days``, with purchases and exposure decayed by days."""
    exposure = HALF_LIFE_DAYS / math.log(2) * (1 - 0.5 ** (p.user_item("days_since_first") / HALF_LIFE_DAYS))
    return nan_to_zero((np.maximum(p.user_item("decay_56"), 0) + 1) / (exposure + 1 / p.item("repurchase_rate")))


@_once
def _recent_rate_by_trips(p: PairColumns) -> Floats:
    """As ``_rate_by_trips``, with purchases and exposure decayed by trips."""
    exposure = (1 - TRIP_DECAY ** (p.user_item("trips_since_first") + 1)) / (1 - TRIP_DECAY)
    return nan_to_zero(
        (np.maximum(p.user_item("trip_decay_97"), 0) + 1) / (exposure + 1 / p.item("repurchase_rate_trips"))
    )


@_once
def _hazard(p: PairColumns) -> Floats:
    """Repurchase hazard a day, of users like this one."""
    return p.hazard("hazard")


def _positive(values: Floats) -> Floats:
    """Return the values above 0; others are missing."""
    return np.where(values > 0, values, np.float32(np.nan))


def _due(p: PairColumns, group: str) -> Floats:
    """Age of the last purchase in the middle of the coming week, as a multiple of the usual gap."""
    return (p.group(group, "days_since_last") + 3.5) / p.group(group, "gap")


def _used_up(p: PairColumns, group: str) -> Floats:
    """Age of the last purchase as a multiple of how long that many units usually last."""
    usual_units = _positive(p.group(group, "units_decay_56")) / _positive(p.group(group, "decay_56"))
    return p.group(group, "days_since_last") / (p.group(group, "gap") * p.group(group, "last_units") / usual_units)


def _share_of_trips(p: PairColumns) -> Floats:
    trips = (1 - TRIP_DECAY ** p.user("trips")) / (1 - TRIP_DECAY)
    return np.maximum(p.user_item_count("trip_decay_97"), 0) / np.maximum(trips, 1)


def _share_of_weeks(p: PairColumns, weeks: Floats, span: str = "") -> Floats:
    """Share of the user's active weeks: a visit over the end of a week may count in another week than its trip."""
    return np.minimum(weeks / np.maximum(p.user(f"active_weeks{span}"), 1), np.float32(1))


def _own_share(p: PairColumns, group: str) -> Floats:
    """Return the item's share of what the user bought of its group; missing where they took all of the group back."""
    share = p.user_item_count("trip_decay_97") / _positive(p.group(group, "trip_decay_97"))
    return np.minimum(np.maximum(share, 0), 1)


FEATURES: dict[str, Feature] = {
    # how often the user buys the item
    "own_rate_by_days": _rate_by_days,
    "own_rate_by_days_standing": RankAmongCandidates(_rate_by_days),
    "own_rate_by_trips": _rate_by_trips,
    "own_recent_rate_by_days": _recent_rate_by_days,
    "own_recent_rate_by_days_standing": RankAmongCandidates(_recent_rate_by_days),
    "own_recent_rate_by_trips": _recent_rate_by_trips,
    "own_decay_112": lambda p: p.user_item_count("decay_112"),
    "own_decay_112_standing": RankAmongCandidates(lambda p: p.user_item_count("decay_112")),
    "own_decay_56_share": lambda p: p.share(p.user_item_count("decay_56")),
    "own_decay_per_trip": lambda p: (
        np.maximum(p.user_item_count("decay_56"), 0) / np.maximum(p.user("trips_decay_56"), np.float32(0.05))
    ),
    "own_trip_decay_90": lambda p: p.user_item_count("trip_decay_90"),
    "own_trip_decay_97": lambda p: p.user_item_count("trip_decay_97"),
    "own_trip_decay_97_standing": RankAmongCandidates(lambda p: p.user_item_count("trip_decay_97")),
    "own_trip_decay_97_share": lambda p: p.share(p.user_item_count("trip_decay_97")),
    "own_trip_decay_97_relative": lambda p: p.relative(p.user_item_count("trip_decay_97")),
    "own_trip_decay_99": lambda p: p.user_item_count("trip_decay_99"),
    "own_volume_decay_100": lambda p: p.user_item_count("volume_decay_100"),
    "own_volume_decay_300": lambda p: p.user_item_count("volume_decay_300"),
    "own_share_of_trips": _share_of_trips,
    "own_share_of_weeks": lambda p: _share_of_weeks(p, p.user_item_count("weeks")),
    "own_share_of_weeks_56d": lambda p: _share_of_weeks(p, p.user_item_count("weeks_56d"), "_56d"),
    "own_units": lambda p: p.user_item_count("units_decay_56"),
    "own_trips": lambda p: p.user_item_count("trips"),
    "own_weeks": lambda p: p.user_item_count("weeks"),
    "own_decay_56": lambda p: p.user_item_count("decay_56"),
    "own_trip_decay_99_standing": RankAmongCandidates(lambda p: p.user_item_count("trip_decay_99")),
    "own_volume_decay_300_standing": RankAmongCandidates(lambda p: p.user_item_count("volume_decay_300")),
    "own_recent_rate_by_trips_standing": RankAmongCandidates(_recent_rate_by_trips),
    "own_last_units": lambda p: p.user_item("last_units"),
    "own_unit_price": lambda p: p.user_item("unit_price"),
    "own_days_since_first": lambda p: p.user_item("days_since_first"),
    # when the user is due to buy it again
    "own_days_since_last": lambda p: p.user_item("days_since_last"),
    "own_due": lambda p: _due(p, "history"),
    "own_due_by_trips": lambda p: p.user_item("trips_since_last") / p.user_item("trip_gap"),
    "own_gap": lambda p: p.user_item("gap"),
    "own_gap_to_usual": lambda p: p.user_item("gap") * p.item("repurchase_rate"),
    "own_trips_since_last": lambda p: p.user_item("trips_since_last"),
    "own_used_up": lambda p: _used_up(p, "history"),
    "own_hazard": _hazard,
    "own_hazard_standing": RankAmongCandidates(_hazard),
    "own_category_hazard": lambda p: p.hazard("category_hazard"),
    # the user and the item's category
    "category_due": lambda p: _due(p, "category"),
    "category_used_up": lambda p: _used_up(p, "category"),
    "category_days_since_last": lambda p: p.group("category", "days_since_last"),
    "category_trip_decay_90": lambda p: p.group_count("category", "trip_decay_90"),
    "category_trip_decay_97": lambda p: p.group_count("category", "trip_decay_97"),
    "category_trip_decay_99": lambda p: p.group_count("category", "trip_decay_99"),
    "category_own_share": lambda p: _own_share(p, "category"),
    "category_own_standing": RankAmongCandidates(lambda p: p.user_item_count("trip_decay_97"), among="category"),
    "category_share_of_weeks": lambda p: _share_of_weeks(p, p.group_count("category", "weeks")),
    "category_later_than_own": lambda p: p.user_item("days_since_last") - p.group("category", "days_since_last"),
    "branded_category_due": lambda p: _due(p, "branded_category"),
    "branded_category_own_share": lambda p: _own_share(p, "branded_category"),
    "branded_category_trip_decay_97": lambda p: p.group_count("branded_category", "trip_decay_97"),
    "branded_category_used_up": lambda p: _used_up(p, "branded_category"),
    "branded_category_trip_decay_90": lambda p: p.group_count("branded_category", "trip_decay_90"),
    "branded_category_trip_decay_99": lambda p: p.group_count("branded_category", "trip_decay_99"),
    "branded_category_share_of_weeks": lambda p: _share_of_weeks(p, p.group_count("branded_category", "weeks")),
    "branded_category_standing": RankAmongCandidates(lambda p: p.group_count("branded_category", "trip_decay_97")),
    # what goes with what the user buys
    "neighbour_weight": lambda p: p.neighbour_weight,
    "neighbour_weight_standing": RankAmongCandidates(lambda p: p.neighbour_weight),
    # what the user has looked at
    "seen_days_since_last": lambda p: p.group("seen", "days_since_last"),
    "seen_view_decay_7": lambda p: p.group_count("seen", "view_decay_7"),
    "seen_click_decay_7": lambda p: p.group_count("seen", "click_decay_7"),
    "seen_add_to_cart_decay_7": lambda p: p.group_count("seen", "add_to_cart_decay_7"),
    # the item among all customers
    "item_popularity_standing": RankAmongCandidates(lambda p: p.item("purchases_decay_28")),
    "item_purchases_7d": lambda p: p.item("purchases_7d"),
    "item_purchases_week_4": lambda p: p.item("purchases_week_4"),
    "item_purchases_decay_7": lambda p: p.item("purchases_decay_7"),
    "item_purchases_decay_28": lambda p: p.item("purchases_decay_28"),
    "item_purchases_decay_112": lambda p: p.item("purchases_decay_112"),
    "item_repurchase_rate": lambda p: p.item("repurchase_rate"),
    "item_repurchase_rate_trips": lambda p: p.item("repurchase_rate_trips"),
    "item_days_since_first_sale": lambda p: p.item("days_since_first_sale"),
    "item_buyers": lambda p: p.item("buyers"),
    "item_trend": lambda p: p.item("trend"),
    "item_trend_long": lambda p: p.item("trend_long"),
    "item_rebuy_rate": lambda p: p.item("rebuy_rate"),
    "item_repeat_buyers": lambda p: p.item("repeat_buyers"),
    "item_new_buyer_share": lambda p: p.item("new_buyer_share"),
    "item_hazard_ratio": lambda p: p.item("hazard_ratio"),
    "item_category_hazard_ratio": lambda p: p.item("category_hazard_ratio"),
    "item_share_of_category": lambda p: p.item("share_of_category"),
    "item_share_of_branded_category": lambda p: p.item("share_of_branded_category"),
    # price and promotion
    "price_usual": lambda p: p.item("price"),
    "price_discount_share_28d": lambda p: p.item("discount_share_28d"),
    "price_7d": lambda p: p.item("price_7d"),
    "price_7d_to_usual": lambda p: p.item("price_7d") / p.item("price"),
    "price_7d_to_own": lambda p: p.item("price_7d") / p.user_item("unit_price"),
    "price_discount_share_7d": lambda p: p.item("discount_share_7d"),
    # the user
    "user_repeat_share": lambda p: p.user("repeat_share"),
    "user_trips": lambda p: p.user("trips"),
    "user_tenure_days": lambda p: p.user("tenure_days"),
    "user_basket_items_mean": lambda p: p.user("basket_items_mean"),
    "user_trips_decay_56": lambda p: p.user("trips_decay_56"),
    "user_trips_decay_14": lambda p: p.user("trips_decay_14"),
    "user_days_since_last": lambda p: p.user("days_since_last"),
}

FEATURE_NAMES = tuple(FEATURES)
RANKS = np.flatnonzero([isinstance(feature, RankAmongCandidates) for feature in FEATURES.values()])
AMONG = tuple(feature.among for feature in FEATURES.values() if isinstance(feature, RankAmongCandidates))
REQUEST_CONSTANT = tuple(name for name in FEATURE_NAMES if name.startswith("user_"))
AGES = frozenset({"own_days_since_first", "item_days_since_first_sale", "user_tenure_days"})
"""Times since a first event. In a log that begins somewhere they grow by a day a day, which is no drift."""


def ranking_features(users: UserRows, items: ItemRows, pairs: Pairs) -> Floats:
    """Compute all ranking features. Returns float32 [pairs, features] in the order of ``FEATURE_NAMES``."""
    return features_of(PairColumns(users, items, pairs))


def features_of(columns: PairColumns) -> Floats:
    """As ``ranking_features``, of pairs whose columns others look at too."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        values = [f.of(columns) if isinstance(f, RankAmongCandidates) else f(columns) for f in FEATURES.values()]
        by_feature = np.concatenate(values, dtype=np.float32).reshape(len(FEATURES), len(columns.pairs))
    by_feature[np.isinf(by_feature)] = np.nan
    by_feature[RANKS] = columns.ranks(by_feature.take(RANKS, axis=0), AMONG)
    return np.ascontiguousarray(by_feature.T)


def feature_list() -> str:
    """Return the hash of the features, the candidate sources and their version; a bundle of another one is refused."""
    return hashlib.sha256(json.dumps([FEATURE_LIST_VERSION, FEATURE_NAMES, SOURCES]).encode()).hexdigest()
