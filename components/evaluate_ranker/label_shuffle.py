"""The label shuffle: models trained on shuffled labels must not predict the held-out requests.

Labels are shuffled within their requests, so a model of them follows a direction of pure luck. Where a few features all
but decide the order, such a direction is seldom near chance: it ranks well or badly, by luck. What luck cannot do is
rank well more often than badly. So each model is held against its own reversed order, equal scores in random order, and
the check fails when the models win by more than the spread between shuffles explains. Equal scores are listed in the
order of the rows, which is the catalogue's: that order alone must not come near what the challenger reaches.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.bundles.xgboost_import import import_xgboost
from components.contracts.ranking_examples import Split
from components.contracts.verdict import Check
from components.evaluate_ranker.heldout import Heldout
from components.ranking.metrics import ndcg, random_ndcg, ranked_lists

SHUFFLES = 12
STUDENT_T = 3.106
"""Quantile of Student's t for a two-sided interval of 99 % over 12 shuffles: luck beats it once in 200 runs."""
LEAST_LEAK = 0.25
"""Smallest part of the challenger's advantage over chance that counts as a leak. Forwards and reversed orders of pure
luck differ by up to a sixth of it on clean shops; a fifth of the labels left in place shows as half of it and more.
"""
MOST_OF_ORDER = 0.5
"""Largest part of the challenger's advantage over chance that the order of the rows may have by itself."""
SHUFFLED_REQUESTS = 200
JUDGED_REQUESTS = 300
SHUFFLE_TREES = {"objective": "rank:ndcg", "max_depth": 3, "eta": 0.3, "colsample_bytree": 0.5, "nthread": 1}
SHUFFLE_ROUNDS = 10
Integers = NDArray[np.integer]


@dataclass(frozen=True)
class Shuffles:
    """NDCG of the models of shuffled labels, forwards and reversed [shuffles]; of chance, challenger and row order."""

    forwards: NDArray[np.float64]
    reversed: NDArray[np.float64]
    chance: float
    challenger: float
    row_order: float

    @property
    def advantage(self) -> tuple[float, float, float]:
        """Mean of forwards less reversed, with its interval over the shuffles."""
        differences = self.forwards - self.reversed
        mean, noise = float(differences.mean()), float(STUDENT_T * differences.std(ddof=1) / np.sqrt(len(differences)))
        return mean, mean - noise, mean + noise


def check_label_shuffle(train: Split, heldout: Heldout, scores: NDArray[np.floating], seed: int) -> Check:
    """Check that models of labels shuffled within their requests rank the held-out requests by luck alone."""
    shuffles = _shuffles(train, heldout, scores, seed)
    tells = _order_tells(heldout.split, shuffles, heldout.k)
    if tells:
        return Check("leak_label_shuffle", False, tells)
    mean, low, high = shuffles.advantage
    limit = LEAST_LEAK * max(shuffles.challenger - shuffles.chance, 0.0)
    passed = low <= 0 or mean <= limit
    verb = "by luck alone" if passed else "better than luck explains, so something beside learning tells the outcome"
    reason = (
        f"{len(shuffles.forwards)} models taught with shuffled labels order the held-out requests {verb}: "
        f"NDCG@{heldout.k} {shuffles.forwards.mean():.3f} on average, their reversed orders "
        f"{shuffles.reversed.mean():.3f}, difference {mean:+.3f} ({low:+.3f} to {high:+.3f}; a leak lies above zero "
        f"and beyond {limit:+.3f}); random order gives"
        f" {shuffles.chance:.3f}, the challenger {shuffles.challenger:.3f}"
    )
    return Check("leak_label_shuffle", passed, reason)


def shuffled_within(labels: NDArray[np.float32], group: Integers, random: np.random.Generator) -> NDArray[np.float32]:
    """Shuffle labels within their groups (ascending)."""
    return labels[np.lexsort((random.random(len(group)), group))]


def _shuffles(train: Split, heldout: Heldout, scores: NDArray[np.floating], seed: int) -> Shuffles:
    chosen = _spread(np.flatnonzero(heldout.judged), JUDGED_REQUESTS)
    rows, request = _rows_of(heldout.request, chosen)
    relevant = heldout.relevant[chosen]
    listed = ndcg(ranked_lists(request, np.zeros(len(rows)), heldout.labels[rows], relevant, heldout.k))
    mixed = np.lexsort((np.random.default_rng(seed).random(len(rows)), request))  # ties must not follow the rows' order
    rows = rows[mixed]
    labels = heldout.labels[rows]

    def mean_ndcg(values: NDArray[np.floating]) -> float:
        return float(ndcg(ranked_lists(request, values, labels, relevant, heldout.k)).mean())

    pairs = [
        (mean_ndcg(one), mean_ndcg(-one)) for one in _models(train, np.asarray(heldout.split.features[rows]), seed)
    ]
    forwards, reverse = np.array(pairs).T
    chance = float(random_ndcg(request, labels, relevant, heldout.k).mean())
    return Shuffles(forwards, reverse, chance, mean_ndcg(scores[rows]), float(listed.mean()))


def _models(train: Split, features: NDArray[np.float32], seed: int) -> list[NDArray[np.float32]]:
    """Score rows by models of shuffled training labels."""
    import_xgboost()
    import xgboost

    request = train.rows["request"].to_numpy()
    chosen = _spread(np.unique(request[train.rows["label"].to_numpy() > 0]), SHUFFLED_REQUESTS)
    rows, group = _rows_of(request, chosen)
    labels = (train.rows["label"].to_numpy()[rows] > 0).astype(np.float32)
    matrix = xgboost.QuantileDMatrix(np.asarray(train.features[rows]), missing=np.nan, nthread=1)
    matrix.set_group(np.bincount(group))
    scores = []
    for number in range(SHUFFLES):
        matrix.set_label(shuffled_within(labels, group, np.random.default_rng([seed, number])))
        booster = xgboost.train(SHUFFLE_TREES | {"seed": seed + number}, matrix, SHUFFLE_ROUNDS)
        scores.append(booster.inplace_predict(features, predict_type="margin", missing=np.nan))
    return scores


def _order_tells(split: Split, scores: Shuffles, k: int) -> str | None:
    """Say that the order of the rows tells the outcome; None when it does not."""
    request, item = split.rows["request"].to_numpy(), split.rows["item_id"].to_numpy(zero_copy_only=False)
    unordered = int(((request[1:] == request[:-1]) & (item[1:] <= item[:-1])).sum())
    if unordered:
        return (
            f"{unordered:,} of {len(item):,} held-out rows do not follow their request's item ids, so the order of the"
            " rows may tell the outcome; build_training_set must sort them by item"
        )
    if scores.row_order - scores.chance <= MOST_OF_ORDER * max(scores.challenger - scores.chance, scores.chance):
        return None
    return (
        f"the order of the rows alone reaches NDCG@{k} {scores.row_order:.3f} where a random order gives"
        f" {scores.chance:.3f} and the challenger {scores.challenger:.3f}: it may have over chance at most"
        f" {MOST_OF_ORDER:.0%} of what the challenger has; look at how build_training_set sorts rows"
    )


def _spread(requests: Integers, limit: int) -> Integers:
    return requests[np.unique(np.linspace(0, len(requests) - 1, limit).astype(int))]


def _rows_of(request: Integers, chosen: Integers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows of the chosen requests, and those requests renumbered from 0."""
    rows = np.flatnonzero(np.isin(request, chosen))
    return rows, np.searchsorted(chosen, request[rows])
