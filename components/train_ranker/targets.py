"""What the training rows teach: gains for the pairwise objective, labels and weights for the logistic one."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.contracts.ranking_examples import Split
from components.train_ranker.boosting import Targets
from components.train_ranker.positions import inverse_propensities, position_propensities


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
