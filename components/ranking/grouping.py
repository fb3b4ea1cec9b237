"""Ordering within groups, vectorised: the top few of each group, and ranks within it."""

import numpy as np
from numpy.typing import NDArray

from components.ranking.rows import Floats


def ranks_within(group: NDArray[np.integer], score: NDArray[np.floating]) -> NDArray[np.int32]:
    """Rank rows within their group by descending score, from 0; ties keep the rows' order, NaN comes last.

    ``group`` must be sorted ascending. Returns int32 [rows].
    """
    order = _descending(group, score)
    starts = np.searchsorted(group, group, side="left")
    ranks = np.empty(len(group), dtype=np.int32)
    ranks[order] = np.arange(len(group)) - starts
    return ranks


def standings_within(group: NDArray[np.integer], score: NDArray[np.floating]) -> NDArray[np.int32]:
    """Count the rows of the same group that score strictly higher: equal scores share a standing, NaN counts as lowest.

    ``group`` must be sorted ascending. Returns int32 [rows].
    """
    known = np.where(np.isnan(score), -np.inf, score)
    order = _descending(group, known)
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


def _descending(group: NDArray[np.integer], score: NDArray[np.floating]) -> NDArray[np.intp]:
    """Order rows by their group (sorted ascending), then by descending score; ties keep their order, NaN comes last.

    A float32 score and the number of its group make one 64-bit key, which sorts several times faster than two.
    """
    if score.dtype != np.float32:
        return np.lexsort((-score, group))
    falling = falling_keys(score)
    falling[np.isnan(score)] = np.iinfo(np.uint32).max
    number = np.cumsum(np.r_[False, group[1:] != group[:-1]])[: len(group)].astype(np.uint64)
    return np.argsort(number << np.uint64(32) | falling, kind="stable")


def falling_keys(scores: NDArray[np.floating]) -> NDArray[np.uint32]:
    """Map scores, as float32, to 32-bit integers of the opposite order; NaN joins minus infinity, -0.0 joins 0.0."""
    values = np.array(scores, dtype=np.float32)
    values[np.isnan(values)] = -np.inf
    values += np.float32(0)
    flip = (values.view(np.int32) >> 31).view(np.uint32)  # all ones where negative
    np.invert(flip, out=flip)
    flip &= np.uint32(0x7FFFFFFF)
    flip ^= values.view(np.uint32)
    return flip


def sums_by_key(keys: NDArray[np.int64], weights: Floats) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sum weights by key, in the rows' order. Returns the distinct keys ascending and their float64 sums."""
    distinct, inverse = np.unique(keys, return_inverse=True)
    return distinct, np.bincount(inverse, weights=weights, minlength=len(distinct)).astype(np.float64)
