"""What is checked of the examples before a model is fitted.

Labels that cannot be used are an error, too few requests are none. A feature that all but knows the outcome (label
leakage) is an error in the data, not a good feature.
"""

import numpy as np
from numpy.typing import NDArray

from components.contracts.errors import TrainingError
from components.contracts.ranking_examples import ExamplesManifest, Split
from components.ranking.baselines import CATALOGUE_ORDER
from components.ranking.metrics import ndcg, ranked_lists
from components.shop.settings import Shop

NEAR_PERFECT = 0.95
REQUESTS_LOOKED_AT = 200
FEWEST_REQUESTS = 20


def refuse_unusable(name: str, split: Split) -> None:
    """Raise ``TrainingError`` for labels or weights that are not numbers from 0 up."""
    for column in ("label", "weight"):
        values = split.rows[column].to_numpy(zero_copy_only=False)
        wrong = int(np.count_nonzero(~np.isfinite(values) | (values < 0)))
        if wrong:
            raise TrainingError(
                f"{wrong} of {len(values)} {name} rows have a {column} that is negative or not a number;"
                " expected finite numbers from 0 up: look at the outcomes in build_training_set's report"
            )


def shortfall_of(manifest: ExamplesManifest, train: Split, validation: Split, shop: Shop) -> str | None:
    """Say in words why a model cannot be trained; None when it can."""
    if not manifest.enough:
        return manifest.shortfall or "too few users or too short a history"
    for name, split, minimum in (("training", train, shop.training.min_requests), ("validation", validation, 1)):
        requests = _informative_requests(split)
        if requests < minimum:
            return (
                f"{requests} {name} requests have both a success and another candidate; at least {minimum} are needed"
            )
    return None


def _informative_requests(split: Split) -> int:
    request, labels = split.rows["request"].to_numpy(), split.rows["label"].to_numpy()
    positives = np.bincount(request, weights=labels > 0, minlength=len(split.requests))
    return int(((positives > 0) & (positives < split.group_sizes)).sum())


def refuse_leaks(split: Split, manifest: ExamplesManifest, k: int) -> None:
    """Rank some requests by each feature alone, both ways, against the ideal order of their own candidates.

    Where a simple rule ranks nearly perfectly too, customers repeat themselves and features may well say so; the gate
    still looks for values from the future.

    Raises:
        TrainingError: one feature alone ranks nearly perfectly.
    """
    rows, request = _some_requests(split)
    labels = split.rows["label"].to_numpy()[rows]
    positives = np.bincount(request, weights=labels > 0).astype(np.int64)
    if (positives > 0).sum() < FEWEST_REQUESTS:
        return
    features, baselines = np.asarray(split.features[rows]), np.asarray(split.baselines[rows])

    def ndcg_by(scores: NDArray[np.floating]) -> float:
        return float(np.nanmean(ndcg(ranked_lists(request, scores, labels, positives, k))))

    rules = [column for column, name in enumerate(manifest.baseline_names) if name != CATALOGUE_ORDER]
    if any(ndcg_by(baselines[:, column]) >= NEAR_PERFECT for column in rules):
        return
    for column, name in enumerate(manifest.feature_names):
        for scores in (features[:, column], -features[:, column]):
            alone = ndcg_by(scores)
            if alone >= NEAR_PERFECT:
                raise TrainingError(
                    f"feature {name} alone ranks the validation candidates with NDCG@{k} {alone:.3f} (limit"
                    f" {NEAR_PERFECT}): it very likely knows the outcome; compute it from rows before the request only"
                )


def _some_requests(split: Split) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows of evenly spread requests that have both outcomes, and those requests renumbered from 0."""
    request = split.rows["request"].to_numpy()
    positive = split.rows["label"].to_numpy() > 0
    positives = np.bincount(request, weights=positive, minlength=len(split.requests))
    informative = np.flatnonzero((positives > 0) & (positives < split.group_sizes))
    chosen = (
        informative[np.unique(np.linspace(0, len(informative) - 1, REQUESTS_LOOKED_AT).astype(int))]
        if len(informative)
        else informative
    )
    rows = np.flatnonzero(np.isin(request, chosen))
    return rows, np.searchsorted(chosen, request[rows])
