"""Position bias: what was shown on top was clicked more because it was on top.

Click = examined x relevant (position-based model; Craswell et al., 2008), so a click on position p stands for
``1 / propensity(p)`` relevant items (Agarwal et al., "A General Framework for Counterfactual Learning-to-Rank", 2019).
Propensities come from the log itself: an item shown to the same user at several positions keeps its appeal, so the
click counts of user and item by position form a table of two factors, which alternating averages fit. Appeal belongs to
the pair, not the item: a list that was ordered for its user holds on top what the user likes, and an appeal shared by
all users would take that for a bias of the position. Clipping bounds the variance.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
SMALLEST = 0.1
ITERATIONS = 50
PRIOR_VIEWS = 20.0
"""Views that a position starts with at the propensity of 1: a position seen a few times keeps no wild estimate."""


def position_propensities(
    pair: NDArray[np.integer], position: NDArray[np.integer], clicked: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Estimate how likely each position is examined, relative to the first: float64 [largest position].

    All arguments [rows]; ``pair`` numbers user and item from 0, ``position`` counts from 1. Values lie in [0.1, 1].
    """
    places = int(position.max())
    cell, at = np.unique(pair.astype(np.int64) * places + (position - 1), return_inverse=True)
    owner, place = cell // places, cell % places
    views = np.bincount(at).astype(np.float64)
    clicks = np.bincount(at, weights=clicked, minlength=len(cell))
    examined = np.ones(places)
    for _ in range(ITERATIONS):
        appeal = np.bincount(owner, weights=clicks) / np.maximum(
            np.bincount(owner, weights=views * examined[place]), 1e-9
        )
        prior = PRIOR_VIEWS * clicks.sum() / views.sum()
        expected = np.bincount(place, weights=views * appeal[owner], minlength=places)
        examined = (np.bincount(place, weights=clicks, minlength=places) + prior) / (expected + prior + 1e-9)
        examined = examined / max(examined[0], 1e-9)
    return np.clip(examined, SMALLEST, 1.0)


def inverse_propensities(position: NDArray[np.integer], propensities: NDArray[np.float64]) -> Floats:
    """Return what a click counts by row: 1 / propensity of its position, 1 where nothing was shown (position 0)."""
    shown = position > 0
    counts = np.ones(len(position), dtype=np.float32)
    counts[shown] = 1 / propensities[position[shown] - 1]
    return counts
