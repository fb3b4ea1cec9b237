"""Ordering within groups, vectorised: the top few of each group, and ranks within it."""

import numpy as np
from numpy.typing import NDArray

from components.ranking.rows import Floats


def ranks_within(group: NDArray[np.integer], score: NDArray[np.floating]) -> NDArray[np.int32]:
    """Rank rows within their group by descending score, from 0; ties keep the rows' order, NaN comes last.

    ``group`` must be sorted ascending. Returns int32 [rows].
    """
    order = np.lexsort((-score, group))
    starts = np.searchsorted(group, group, side="left")
    ranks = np.empty(len(group), dtype=np.int32)
    ranks[order] = np.arange(len(group)) - starts
    return ranks


def standings_within(group: NDArray[np.integer], score: NDArray[np.floating]) -> NDArray[np.int32]:
    """Count the rows of the same group that score strictly higher: equal scores share a standing, NaN counts as lowest.

    ``group`` must be sorted ascending. Returns int32 [rows].
    """
    known = np.where(np.isnan(score), -np.inf, score)
    order = np.lexsort((-known, group))
    grouped, sorted_score = group[order], known[order]
    starts = np.searchsorted(group, grouped, side="left")
    changed = np.r_[True, (grouped[1:] != grouped[:-1]) | (sorted_score[1:] != sorted_score[:-1])]
    first_equal = np.maximum.accumulate(np.where(changed, np.arange(len(group)), 0))
    standings = np.empty(len(group), dtype=np.int32)
    standings[order] = first_equal - starts
    return standings


def top_within(group: NDArray[np.integer], score: NDArray[np.floating], n: int) -> NDArray[np.bool_]:
    """Mark the ``n`` rows of highest score in each group (``group`` sorted ascending; ties keep the rows' order)."""
    return ranks_within(group, score) < n


def sums_by_key(keys: NDArray[np.int64], weights: Floats) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sum weights by key, in the rows' order. Returns the distinct keys ascending and their float64 sums."""
    distinct, inverse = np.unique(keys, return_inverse=True)
    return distinct, np.bincount(inverse, weights=weights, minlength=len(distinct)).astype(np.float64)
