"""What the training rows teach: gains for the pairwise objective, labels and weights for the logistic one.

What was shown on top was clicked more because it was on top: clicks are weighted against that bias of positions.

Click = examined x relevant (position-based model; Craswell et al., 2008), so a click on position p stands for
``1 / propensity(p)`` relevant items (Agarwal et al., "A General Framework for Counterfactual Learning-to-Rank", 2019).
Propensities come from the log itself: an item shown to the same user at several positions keeps its appeal, so the
click counts of user and item by position form a table of two factors, which alternating averages fit. Appeal belongs to
the pair, not the item: a list that was ordered for its user holds on top what the user likes, and an appeal shared by
all users would take that for a bias of the position. Clipping bounds the variance.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.contracts.ranking_examples import Split
from components.train_ranker.boosting import Targets

Floats = NDArray[np.float32]
SMALLEST = 0.1
ITERATIONS = 50
PRIOR_VIEWS = 20.0
"""Views that a position starts with at the propensity of 1: a position seen a few times keeps no wild estimate."""


def training_targets(train: Split) -> tuple[Targets, list[float] | None]:
    """Labels, weights and gains of the training rows; clicks on shown items count by their position's propensity."""
    labels = (train.rows["label"].to_numpy() > 0).astype(np.float32)
    weights = train.rows["weight"].to_numpy().astype(np.float32)
    position = train.rows["position"].fill_null(0).to_numpy().astype(np.int64)
    shown = position > 0
    if not shown.any():
        return Targets(labels, labels, weights, train.group_sizes), None
    propensities = position_propensities(_pairs(train, shown), position[shown], labels[shown] > 0)
    gains = labels * inverse_propensities(position, propensities)
    weighted = weights * np.where(labels > 0, gains, 1).astype(np.float32)
    return Targets(gains, labels, weighted, train.group_sizes), np.round(propensities, 4).tolist()


def _pairs(train: Split, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number the distinct pairs of user and item of the chosen rows, from 0."""
    user = _numbered(train.requests["user_id"])[train.rows["request"].to_numpy()[chosen]]
    item = _numbered(train.rows["item_id"])[chosen]
    pairs = user * (item.max(initial=0) + 1) + item
    return np.unique(pairs, return_inverse=True)[1]


def _numbered(ids: pa.ChunkedArray) -> NDArray[np.int64]:
    return ids.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)


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
