"""What the training rows teach: gains for the pairwise objective, labels and weights for the logistic one."""

import numpy as np

from components.contracts.examples import Split
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
    item = train.rows["item_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    propensities = position_propensities(item[shown], position[shown], labels[shown] > 0)
    gains = labels * inverse_propensities(position, propensities)
    weighted = weights * np.where(labels > 0, gains, 1).astype(np.float32)
    return Targets(gains, labels, weighted, train.group_sizes), np.round(propensities, 4).tolist()
