"""Rows that a booster can learn from: the first of six columns says, with noise, which rows are successes."""

import numpy as np

from components.shop.settings import Training
from components.train_ranker.boosting import Matrices, Targets, bin_rows
from components.train_ranker.validation import Judges


def random_matrices(requests: int, candidates: int, settings: Training) -> Matrices:
    """Judge by the rows that are trained on."""
    random = np.random.default_rng(3)
    features = random.normal(size=(requests * candidates, 6)).astype(np.float32)
    labels = (features[:, 0] + random.normal(size=len(features)) > 1).astype(np.float32)
    sizes = np.full(requests, candidates, dtype=np.int64)
    judges = Judges(features, labels, np.repeat(np.arange(requests), candidates))
    return bin_rows(features, Targets(labels, labels, np.ones_like(labels), sizes), judges, settings)
