"""Ordering within groups, vectorised: the top few of each group, and ranks within it."""

import numpy as np
from numpy.typing import NDArray

from components.ranking.rows import Floats

LAST = np.uint32(np.iinfo(np.uint32).max)


def ranks_within(group: NDArray[np.integer], score: NDArray[np.floating]) -> NDArray[np.int32]:
    """Rank rows within their group by descending score, from 0; ties keep the rows' order, NaN comes last.

    ``group`` must be sorted ascending. Returns int32 [rows].
    """
    number, start = _numbered(group)
    if score.dtype == np.float32:
        falling = falling_keys(score)
        falling[np.isnan(score)] = LAST
        order = _keys(number, falling).argsort(kind="stable")
    else:
        order = np.lexsort((-score, number))
    ranks = np.empty(len(group), dtype=np.int32)
    ranks[order] = np.arange(len(group)) - start
    return ranks


def standings_within(group: NDArray[np.integer], score: NDArray[np.floating]) -> NDArray[np.int32]:
    """Count the rows of the same group that score strictly higher: equal scores share a standing, NaN counts as lowest.

    ``group`` must be sorted ascending. Returns int32 [rows].
    """
    number, start = _numbered(group)
    keys = _keys(number, falling_keys(score) if score.dtype == np.float32 else _falling_places(score))
    order = keys.argsort()
    ordered, first_equal = keys[order], np.arange(len(keys))
    first_equal[1:][ordered[1:] == ordered[:-1]] = 0
    standings = np.empty(len(keys), dtype=np.int32)
    standings[order] = np.maximum.accumulate(first_equal) - start
    return standings


def top_within(group: NDArray[np.integer], score: NDArray[np.floating], n: int) -> NDArray[np.bool_]:
    """Mark the ``n`` rows of highest score in each group (``group`` sorted ascending; ties keep the rows' order)."""
    return ranks_within(group, score) < n


def _numbered(group: NDArray[np.integer]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number the groups from 0, as they stand. Returns every row's number and the first row of its group."""
    is_first = group[1:] != group[:-1]
    number = np.zeros(len(group), dtype=np.intp)
    is_first.cumsum(out=number[1:])
    return number, np.concatenate([[0], is_first.nonzero()[0] + 1])[number]


def _keys(number: NDArray[np.intp], falling: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Make one 64-bit key of a row's group and its place in it: it sorts several times faster than two."""
    return number.astype(np.uint64) << np.uint64(32) | falling


def falling_keys(scores: NDArray[np.floating]) -> NDArray[np.uint32]:
    """Map scores, as float32, to 32-bit integers of the opposite order; NaN joins minus infinity, -0.0 joins 0.0."""
    values = np.fmax(scores, -np.inf, dtype=np.float32) + np.float32(0)
    bits = values.view(np.uint32)
    flip = (values.view(np.int32) >> 31).view(np.uint32)  # all ones where negative
    np.invert(flip, out=flip)
    flip &= np.uint32(0x7FFFFFFF)
    flip ^= bits
    return flip


def _falling_places(scores: NDArray[np.floating]) -> NDArray[np.uint32]:
    """As ``falling_keys``, for scores of any precision: the place of each among the distinct ones."""
    known = np.where(np.isnan(scores), -np.inf, scores)
    return np.unique(-known, return_inverse=True)[1].astype(np.uint32)


def sums_by_key(keys: NDArray[np.int64], weights: Floats) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sum weights by key, in the rows' order. Returns the distinct keys ascending and their float64 sums."""
    distinct, inverse = distinct_keys(keys)
    return distinct, np.bincount(inverse, weights=weights, minlength=len(distinct)).astype(np.float64)


def distinct_keys(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Find the distinct keys, ascending, and which of them each key is; np.unique takes twice as long for a few."""
    order = keys.argsort()
    ordered = keys[order]
    first = np.ones(len(keys), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    inverse = np.empty(len(keys), dtype=np.intp)
    inverse[order] = first.cumsum() - 1
    return ordered[first], inverse
