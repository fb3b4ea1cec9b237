"""Columns of user x item pairs: looked up in user and item rows, or computed within a user's candidates."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.ranking.candidates import neighbour_weights
from components.ranking.grouping import competition_ranks
from components.ranking.pairs import Pairs
from components.ranking.rows import ITEM_GROUPS, Floats, ItemRows, UserRows

RECENCY_EDGES = np.array([7.0, 14.0, 28.0, 56.0], dtype=np.float32)  # days, of the cells of ``hazard``
COUNT_EDGES = np.array([2.0, 4.0], dtype=np.float32)
HAZARD_CELLS = (len(RECENCY_EDGES) + 1) * (len(COUNT_EDGES) + 1)
NOWHERE = -1


class PairColumns:
    """Columns of pairs, each found when it is first asked for. All are float32 [pairs]; NaN is missing.

    Callers share columns, so no caller may change one.
    """

    def __init__(self, users: UserRows, items: ItemRows, pairs: Pairs) -> None:
        self.users, self.items, self.pairs = users, items, pairs
        self._groups: dict[str, _GroupColumns] = {}
        self._found: dict[Callable[[PairColumns], Floats], Floats] = {}

    def once(self, column: Callable[["PairColumns"], Floats]) -> Floats:
        """Compute a column of these pairs, or hand it out again."""
        if column not in self._found:
            self._found[column] = column(self)
        return self._found[column]

    def user(self, name: str) -> Floats:
        """Return a scalar of the user's row; missing when the shop has no such column."""
        return self.users.columns[name].take(self.pairs.user) if name in self.users.columns else self._missing

    def item(self, name: str) -> Floats:
        """Return a scalar of the item's row; missing when the shop has no such column."""
        return self._items.get(name, self._missing)

    def user_item(self, name: str) -> Floats:
        """Return the user's own history with the item; missing when they never bought it."""
        return self.listed("history", name)

    def user_item_count(self, name: str) -> Floats:
        """As ``own``, for a count: 0 when they never bought it."""
        return self.listed("history", name, is_count=True)

    def group(self, group: str, name: str) -> Floats:
        """Return the user's history with the item's group (``category``, …), or their views of it (``seen``)."""
        return self.listed(group, name)

    def group_count(self, group: str, name: str) -> Floats:
        """As ``group``, for a count: 0 when there is none."""
        return self.listed(group, name, is_count=True)

    def ranks(self, values: Floats, among: Sequence[str | None]) -> Floats:
        """Return how many of the user's candidates have a higher value; equal values share a standing.

        Args:
            values: several columns, [columns, pairs]: one sort for all of them.
            among: for each column the group of items, such as ``category``, whose candidates alone are compared; the
                standing of an item without a group is missing. None: all candidates are.
        """
        codes = {name: np.fmax(self.item(name), NOWHERE).astype(np.int64) + 1 for name in among if name is not None}
        width = 1 + max((int(code.max(initial=0)) for code in codes.values()), default=0)
        groups = np.arange(len(values))[:, None] * (len(self.users) * width) + self.pairs.user.astype(np.int64) * width
        narrowed = [(column, codes[name]) for column, name in enumerate(among) if name is not None]
        for column, code in narrowed:
            groups[column] += code
        ranks = competition_ranks(groups.ravel(), values.ravel()).astype(np.float32).reshape(values.shape)
        for column, code in narrowed:
            ranks[column, code == 0] = np.nan
        return ranks

    def share(self, values: Floats) -> Floats:
        """Return the value as a share of its sum over the user's candidates; what was taken back (below 0) has none."""
        values = np.maximum(values, 0)
        sums = np.bincount(self.pairs.user, weights=values, minlength=len(self.users))
        return (values / np.maximum(sums, 1e-9)[self.pairs.user]).astype(np.float32)

    def relative(self, values: Floats) -> Floats:
        """Return the value as a share of the largest of the user's candidates; missing for negative ones (returns)."""
        values = np.maximum(values, 0)
        largest = np.zeros(len(self.users), dtype=np.float32)
        np.maximum.at(largest, self.pairs.user, values)
        return (values / np.maximum(largest, np.float32(1e-9))[self.pairs.user]).astype(np.float32)

    def hazard(self, array: str) -> Floats:
        """Return the repurchase hazard a day, by how long ago and how often the user bought the item; 0 when never."""
        if array not in self.items.arrays:
            return self._missing
        rates, item = self.items.arrays[array], self.pairs.item
        if not len(rates.values):
            return self._none
        start = rates.offsets.take(item)
        known = self._is_own & (rates.offsets.take(item + 1) - start == HAZARD_CELLS)
        return np.where(known, rates.values.take(start + self._hazard_cell, mode="clip"), np.float32(0))

    @cached_property
    def neighbour_weight(self) -> Floats:
        """Similarity to the user's own strongest items, weighted with their decayed counts; 0 when there is none."""
        if "neighbour_item" not in self.items.arrays:
            return np.zeros(len(self.pairs), dtype=np.float32)
        user, item, weight = neighbour_weights(self.users, self.items)
        places = _places(self._pair_key, user.astype(np.int64) * len(self.items) + item)
        return np.append(weight, np.float32(0)).take(places)

    def listed(self, group: str, name: str, is_count: bool = False) -> Floats:
        """Return an array's value for the pair's item or group, or its count, as stored: [pairs]; missing is NaN."""
        if group not in self._groups:
            self._groups[group] = self._looked_up(group)
        columns = self._groups[group]
        return columns.counts.get(name, self._none) if is_count else columns.values.get(name, self._missing)

    def _looked_up(self, group: str) -> "_GroupColumns":
        """Look all arrays of a group up at once: they are aligned."""
        arrays = self.users.group(group)
        if not arrays or not (group in ITEM_GROUPS or group in self.items.columns):
            return _GroupColumns(())
        places = self._item_places(group) if group in ITEM_GROUPS else self._group_places(group)
        entries = np.empty((len(arrays), len(next(iter(arrays.values()))) + 1), dtype=np.float32)
        entries[:, NOWHERE] = np.nan
        for row, values in zip(entries, arrays.values(), strict=True):
            row[:NOWHERE] = values
        return _GroupColumns(tuple(arrays), entries.take(places, axis=1))

    def _item_places(self, group: str) -> NDArray[np.int64]:
        held = self.users.arrays[f"{group}_item"]
        return _places(self._pair_key, held.row.astype(np.int64) * len(self.items) + held.values)

    def _group_places(self, group: str) -> NDArray[np.int64]:
        codes = self.users.arrays[f"{group}_code"]
        wanted = np.fmax(self.item(group), NOWHERE).astype(np.int64)  # an item without a group is in none
        return _places(_joined(self.pairs.user, wanted), _joined(codes.row, codes.values.astype(np.int64)))

    @cached_property
    def _items(self) -> dict[str, Floats]:
        return self.items.columns_of(self.pairs.item)

    @cached_property
    def _is_own(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.user_item("days_since_last"))

    @cached_property
    def _hazard_cell(self) -> NDArray[np.int64]:
        recency = RECENCY_EDGES.searchsorted(self.user_item("days_since_last"), side="right")
        return recency * (len(COUNT_EDGES) + 1) + COUNT_EDGES.searchsorted(self.user_item_count("trips"), side="right")

    @cached_property
    def _pair_key(self) -> NDArray[np.int64]:
        return self.pairs.user.astype(np.int64) * len(self.items) + self.pairs.item

    @cached_property
    def _missing(self) -> Floats:
        return np.full(len(self.pairs), np.nan, dtype=np.float32)

    @cached_property
    def _none(self) -> Floats:
        return np.zeros(len(self.pairs), dtype=np.float32)


class _GroupColumns:
    """The columns of a group by name: as they are, and as counts, which are 0 where they are missing."""

    def __init__(self, names: tuple[str, ...], matrix: Floats | None = None) -> None:
        self._names, self._matrix = names, matrix
        self.values = {} if matrix is None else dict(zip(names, matrix, strict=True))

    @cached_property
    def counts(self) -> dict[str, Floats]:
        if self._matrix is None:
            return {}
        return dict(zip(self._names, nan_to_zero(self._matrix), strict=True))


def nan_to_zero(values: Floats) -> Floats:
    """Return values, 0 where missing; some are negative (returns). np.nan_to_num takes several times as long."""
    return np.fmax(values, 0) + np.fmin(values, 0)


def _joined(users: NDArray[np.int32], codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one key of a user and a code, of the same order; ``NOWHERE`` of a code that is."""
    return users.astype(np.int64) << 32 | codes


def _places(wanted: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where the wanted keys stand in the sorted ``keys``; ``NOWHERE`` for those that do not."""
    if not len(keys):
        return np.full(len(wanted), NOWHERE)
    at = np.minimum(keys.searchsorted(wanted), len(keys) - 1)
    return np.where(keys.take(at) == wanted, at, NOWHERE)
