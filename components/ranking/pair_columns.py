"""Columns of user x item pairs: looked up in user and item rows, or computed within a user's candidates."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.ranking.candidates import neighbour_weights
from components.ranking.grouping import standings_within
from components.ranking.pairs import Pairs
from components.ranking.rows import ITEM_GROUPS, Floats, ItemRows, UserRows

RECENCY_EDGES = np.array([7.0, 14.0, 28.0, 56.0], dtype=np.float32)  # days, of the cells of ``hazard``
COUNT_EDGES = np.array([2.0, 4.0], dtype=np.float32)
HAZARD_CELLS = (len(RECENCY_EDGES) + 1) * (len(COUNT_EDGES) + 1)


class PairColumns:
    """Columns of pairs, each computed when it is asked for. All are float32 [pairs]; NaN is missing."""

    def __init__(self, users: UserRows, items: ItemRows, pairs: Pairs) -> None:
        self.users, self.items, self.pairs = users, items, pairs
        self._entries: dict[str, tuple[NDArray[np.bool_], NDArray[np.int64]]] = {}

    def user(self, name: str) -> Floats:
        """A scalar of the user's row; missing when the shop has no such column."""
        return self.users.columns[name][self.pairs.user] if name in self.users.columns else self._missing

    def item(self, name: str) -> Floats:
        """A scalar of the item's row; missing when the shop has no such column."""
        return self.items.columns[name][self.pairs.item] if name in self.items.columns else self._missing

    def own(self, name: str) -> Floats:
        """The user's own history with the item; missing when they never bought it."""
        return self._listed("history", name)

    def own_count(self, name: str) -> Floats:
        """As ``own``, for a count: 0 when they never bought it."""
        return np.nan_to_num(self.own(name), nan=0.0)

    def group(self, group: str, name: str) -> Floats:
        """What the user did with the item's group (``category``, …) or, for ``seen``, looking at it; else missing."""
        return self._listed(group, name)

    def group_count(self, group: str, name: str) -> Floats:
        """As ``group``, for a count: 0 when there is none."""
        return np.nan_to_num(self.group(group, name), nan=0.0)

    def standing(self, values: Floats) -> Floats:
        """How many of the user's candidates have a higher value; equal values share a standing."""
        return standings_within(self.pairs.user, values).astype(np.float32)

    def standing_in(self, group: str, values: Floats) -> Floats:
        """As ``standing``, among the user's candidates of the same group of items; missing without a group."""
        code = self.item(group)
        known = np.flatnonzero(~np.isnan(code))
        key = self.pairs.user[known].astype(np.int64) * (int(code[known].max(initial=0)) + 1) + code[known].astype(
            np.int64
        )
        by_key = known[np.argsort(key, kind="stable")]
        standings = np.full(len(self.pairs), np.nan, dtype=np.float32)
        standings[by_key] = standings_within(np.sort(key), values[by_key])
        return standings

    def share(self, values: Floats) -> Floats:
        """The value as a share of its sum over the user's candidates."""
        sums = np.bincount(self.pairs.user, weights=values, minlength=len(self.users))
        return (values / np.maximum(sums, 1e-9)[self.pairs.user]).astype(np.float32)

    def relative(self, values: Floats) -> Floats:
        """The value as a share of the largest among the user's candidates."""
        largest = np.zeros(len(self.users), dtype=np.float32)
        np.maximum.at(largest, self.pairs.user, values)
        return (values / np.maximum(largest, np.float32(1e-9))[self.pairs.user]).astype(np.float32)

    def hazard(self, array: str) -> Floats:
        """The repurchase hazard a day, by how long ago and how often the user bought the item; 0 when never."""
        if array not in self.items.arrays:
            return self._missing
        age, count = self.own("days_since_last"), self.own_count("trips")
        cell = np.digitize(age, RECENCY_EDGES) * (len(COUNT_EDGES) + 1) + np.digitize(count, COUNT_EDGES)
        rates = self.items.arrays[array]
        owned = ~np.isnan(age) & (np.diff(rates.offsets)[self.pairs.item] == HAZARD_CELLS)
        values = np.zeros(len(self.pairs), dtype=np.float32)
        values[owned] = rates.values[rates.offsets[self.pairs.item[owned]] + cell[owned]]
        return values

    @cached_property
    def neighbour_weight(self) -> Floats:
        """Similarity to the user's own strongest items, weighted with their decayed counts; 0 when there is none."""
        weights = np.zeros(len(self.pairs), dtype=np.float32)
        if "neighbour_item" in self.items.arrays:
            user, item, weight = neighbour_weights(self.users, self.items)
            found, at = _match(self._pair_key, user.astype(np.int64) * len(self.items) + item)
            weights[found] = weight[at]
        return weights

    def _listed(self, group: str, name: str) -> Floats:
        array = f"{group}_{name}"
        if array not in self.users.arrays or not (group in ITEM_GROUPS or group in self.items.columns):
            return self._missing
        found, at = self._entry(group)
        values = np.full(len(self.pairs), np.nan, dtype=np.float32)
        values[found] = self.users.arrays[array].values[at]
        return values

    def _entry(self, group: str) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which pairs have an entry in the user's arrays of a group, and where it stands."""
        if group not in self._entries:
            self._entries[group] = self._item_entry(group) if group in ITEM_GROUPS else self._group_entry(group)
        return self._entries[group]

    def _item_entry(self, group: str) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        held = self.users.arrays[f"{group}_item"]
        return _match(self._pair_key, held.row.astype(np.int64) * len(self.items) + held.values)

    def _group_entry(self, group: str) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        codes = self.users.arrays[f"{group}_code"]
        wanted = np.nan_to_num(self.item(group), nan=-1.0).astype(np.int64)
        width = int(max(codes.values.max(initial=0), wanted.max(initial=0))) + 2
        keys = codes.row.astype(np.int64) * width + codes.values.astype(np.int64)
        return _match(np.where(wanted < 0, -1, self.pairs.user.astype(np.int64) * width + wanted), keys)

    @cached_property
    def _pair_key(self) -> NDArray[np.int64]:
        return self.pairs.user.astype(np.int64) * len(self.items) + self.pairs.item

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
