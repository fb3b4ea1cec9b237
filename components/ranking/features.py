"""Ranking features: one line each, user x item, from point-in-time rows in training and online rows in serving.

To add one, write a line in ``FEATURES`` and a test that pins it; ``CONTRIBUTING.md`` shows it.
"""

import hashlib
import inspect
import sys
from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.ranking.candidates import neighbour_weights
from components.ranking.grouping import ranks_within
from components.ranking.pairs import Pairs
from components.ranking.rows import Floats, ItemRows, UserRows


class PairColumns:
    """Columns of user x item pairs, looked up or computed when a feature asks for them. All float32 [pairs]."""

    def __init__(self, users: UserRows, items: ItemRows, pairs: Pairs) -> None:
        self.users, self.items, self.pairs = users, items, pairs

    def user(self, name: str) -> Floats:
        """A scalar of the user's row; missing when the shop has no such column."""
        return self.users.columns[name][self.pairs.user] if name in self.users.columns else self._missing

    def item(self, name: str) -> Floats:
        """A scalar of the item's row; missing when the shop has no such column."""
        return self.items.columns[name][self.pairs.item] if name in self.items.columns else self._missing

    def history(self, name: str) -> Floats:
        """The user's own history with the item: missing when the user never bought it."""
        if name not in self.users.arrays:
            return self._missing
        found, at = self._history_entry
        values = np.full(len(self.pairs), np.nan, dtype=np.float32)
        values[found] = self.users.arrays[name].values[at]
        return values

    def rank(self, values: Floats) -> Floats:
        """Rank of the item within the user's candidates by descending value, from 0; missing stays missing."""
        ranks = ranks_within(self.pairs.user, values).astype(np.float32)
        return np.where(np.isnan(values), np.float32(np.nan), ranks)

    @cached_property
    def neighbour_weight(self) -> Floats:
        """Similarity to the user's own strongest items, weighted with their decayed counts; 0 when there is none."""
        weights = np.zeros(len(self.pairs), dtype=np.float32)
        if "neighbour_item" in self.items.arrays:
            user, item, weight = neighbour_weights(self.users, self.items)
            found, at = _match(self._pair_key, user.astype(np.int64) * len(self.items) + item)
            weights[found] = weight[at]
        return weights

    @cached_property
    def _pair_key(self) -> NDArray[np.int64]:
        return self.pairs.user.astype(np.int64) * len(self.items) + self.pairs.item

    @cached_property
    def _history_entry(self) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        history = self.users.arrays["history_item"]
        return _match(self._pair_key, history.row.astype(np.int64) * len(self.items) + history.values)

    @cached_property
    def _missing(self) -> Floats:
        return np.full(len(self.pairs), np.nan, dtype=np.float32)


def _match(wanted: NDArray[np.int64], keys: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which wanted keys stand in the sorted ``keys``, and where."""
    if not len(keys):
        return np.zeros(len(wanted), dtype=bool), np.empty(0, dtype=np.int64)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found = keys[at] == wanted
    return found, at[found]


Feature = Callable[[PairColumns], Floats]

FEATURES: dict[str, Feature] = {
    "history_trips": lambda p: p.history("history_trips"),
    "history_decay_112": lambda p: p.history("history_decay_112"),
    "history_decay_rank": lambda p: p.rank(p.history("history_decay_112")),
    "history_trip_decay": lambda p: p.history("history_trip_decay"),
    "history_trip_decay_rank": lambda p: p.rank(p.history("history_trip_decay")),
    "history_days_since_last": lambda p: p.history("history_days_since_last"),
    "history_due": lambda p: (p.history("history_days_since_last") + 3.5) / p.history("history_gap"),
    "history_share_of_trips": lambda p: p.history("history_trips") / p.user("trips"),
    "item_purchases_decay_7": lambda p: p.item("purchases_decay_7"),
    "item_purchases_28d": lambda p: p.item("purchases_28d"),
    "item_trend": lambda p: p.item("trend"),
    "item_rebuy_rate": lambda p: p.item("rebuy_rate"),
    "item_price": lambda p: p.item("price"),
    "neighbour_weight": lambda p: p.neighbour_weight,
    "user_trips_28d": lambda p: p.user("trips_28d"),
    "user_days_since_last": lambda p: p.user("days_since_last"),
    "user_basket_items_mean": lambda p: p.user("basket_items_mean"),
}

FEATURE_NAMES = tuple(FEATURES)
REQUEST_CONSTANT = tuple(name for name in FEATURE_NAMES if name.startswith("user_"))


def ranking_features(users: UserRows, items: ItemRows, pairs: Pairs) -> Floats:
    """Compute all ranking features. Returns float32 [pairs, features] in the order of ``FEATURE_NAMES``."""
    columns = PairColumns(users, items, pairs)
    matrix = np.empty((len(pairs), len(FEATURES)), dtype=np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        for index, feature in enumerate(FEATURES.values()):
            matrix[:, index] = feature(columns)
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix


def feature_list() -> str:
    """Hash of the ordered feature list and the code that defines it; a bundle made with another one is refused."""
    modules = (sys.modules[__name__], *(sys.modules[f.__module__] for f in (ranks_within, neighbour_weights, UserRows)))
    code = "".join(inspect.getsource(module) for module in modules)
    return hashlib.sha256(code.encode()).hexdigest()
