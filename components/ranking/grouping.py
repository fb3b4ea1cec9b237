"""Ordering within groups, vectorised: the top few of each group, and ranks within it."""

import numpy as np
from numpy.typing import NDArray

from components.ranking.rows import Floats

LAST = np.uint32(np.iinfo(np.uint32).max)
GROUP_BITS = np.uint64(32)  # by which a key holds its group above the place in it


def ranks_within(group: NDArray[np.integer], score: NDArray[np.floating]) -> NDArray[np.int32]:
    """Rank rows within their group by descending score, from 0; ties keep the rows' order, NaN comes last.

    ``group`` must be sorted ascending. Returns int32 [rows].
    """
    ranks = np.empty(len(group), dtype=np.int32)
    if _is_one(group):
        ranks[(-score).argsort(kind="stable")] = np.arange(len(group))
        return ranks
    number, start = _numbered(group)
    if score.dtype == np.float32:
        falling = falling_keys(score)
        falling[np.isnan(score)] = LAST
        order = _keys(number, falling).argsort(kind="stable")
    else:
        order = np.lexsort((-score, number))
    ranks[order] = np.arange(len(group)) - start
    return ranks


def competition_ranks(group: NDArray[np.integer], score: NDArray[np.floating]) -> NDArray[np.int32]:
    """Count the rows of the same group that score strictly higher: equal scores share a standing, NaN counts as lowest.

    Groups are numbered from 0 and may stand in any order. Returns int32 [rows].
    """
    if group.max(initial=0) > LAST:
        group = np.unique(group, return_inverse=True)[1]
    keys = _keys(group, falling_keys(score) if score.dtype == np.float32 else _falling_places(score))
    order = keys.argsort()
    ordered = keys.take(order)
    ranks = np.empty(len(keys), dtype=np.int32)
    ranks[order] = _latest_change(ordered) - _latest_change(ordered >> GROUP_BITS)
    return ranks


def places_within(group: NDArray[np.integer]) -> NDArray[np.int64]:
    """Count the rows of each group as they stand, from 0; ``group`` must be sorted ascending."""
    return np.arange(len(group)) - (0 if _is_one(group) else group.searchsorted(group))


def top_within(group: NDArray[np.integer], score: NDArray[np.floating], n: int) -> NDArray[np.bool_]:
    """Mark the ``n`` rows of highest score in each group (``group`` sorted ascending; ties keep the rows' order)."""
    return ranks_within(group, score) < n


def _is_one(group: NDArray[np.integer]) -> bool:
    """Return whether a sorted group column has no two groups: a request's has one user."""
    return not len(group) or bool(group[0] == group[-1])


def _numbered(group: NDArray[np.integer]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number the groups from 0, as they stand. Returns every row's number and the first row of its group."""
    is_first = group[1:] != group[:-1]
    number = np.zeros(len(group), dtype=np.intp)
    is_first.cumsum(out=number[1:])
    return number, np.concatenate([[0], is_first.nonzero()[0] + 1])[number]


def _keys(number: NDArray[np.integer], falling: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Make one 64-bit key of a row's group and its place in it: it sorts several times faster than two."""
    return number.astype(np.uint64) << GROUP_BITS | falling


def _latest_change(ordered: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Return the first place, up to each one, from which the values were the same."""
    places = np.arange(len(ordered))
    places[1:] *= ordered[1:] != ordered[:-1]
    return np.maximum.accumulate(places, out=places)


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
    ordered = keys.take(order)
    first = np.ones(len(keys), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    inverse = np.empty(len(keys), dtype=np.intp)
    inverse[order] = first.cumsum() - 1
    return ordered[first], inverse
