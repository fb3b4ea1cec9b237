"""The paired bootstrap over users: how far a mean over requests would move with other users of the same kind.

A user's requests depend on one another, so users are drawn, not requests (a cluster bootstrap; Davison & Hinkley,
"Bootstrap Methods", 1997, section 2.4). Every column sees the same draws: differences of its results are paired.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DRAWS_AT_ONCE = 4_000_000
"""Largest number of drawn users held in memory at once (32 MB)."""


def resampled_means(values: Floats, user: NDArray[np.integer], resamples: int, seed: int) -> Floats:
    """Resample users with replacement and return each column's mean over the requests drawn.

    ``values`` is float64 [requests, columns]; NaN leaves the request out of that column. ``user`` [requests] numbers
    the users from 0 without gaps. Returns float64 [resamples, columns]; NaN where a draw holds no request of a column.
    """
    sums, counts = _user_totals(values, user)
    random = np.random.default_rng(seed)
    users = len(sums)
    chunk = max(1, DRAWS_AT_ONCE // max(users, 1))
    drawn = (_weights(random, users, min(chunk, resamples - start)) for start in range(0, resamples, chunk))
    means = [_means(weights @ sums, weights @ counts) for weights in drawn]
    return np.concatenate(means)


def interval(means: Floats, confidence: float) -> Floats:
    """Return the percentile interval of resampled values: float64 [2, ...], the resamples along the first axis."""
    tail = (1 - confidence) / 2
    return np.nanquantile(means, [tail, 1 - tail], axis=0)


def _user_totals(values: Floats, user: NDArray[np.integer]) -> tuple[Floats, Floats]:
    users = int(user.max(initial=-1)) + 1
    present = ~np.isnan(values)
    filled = np.where(present, values, 0.0)
    columns = range(values.shape[1])
    sums = np.stack([np.bincount(user, weights=filled[:, column], minlength=users) for column in columns], axis=1)
    counts = np.stack([np.bincount(user, weights=present[:, column], minlength=users) for column in columns], axis=1)
    return np.asarray(sums, np.float64), np.asarray(counts, np.float64)


def _weights(random: np.random.Generator, users: int, resamples: int) -> Floats:
    """Return how often each user was drawn in each resample: float64 [resamples, users]."""
    drawn = random.integers(0, users, size=(resamples, users))
    cell = drawn + np.arange(resamples)[:, None] * users
    return np.bincount(cell.ravel(), minlength=resamples * users).reshape(resamples, users).astype(np.float64)


def _means(sums: Floats, counts: Floats) -> Floats:
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
