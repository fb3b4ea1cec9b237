"""Label leakage: a feature that all but knows the outcome is an error in the data, not a good feature."""

import numpy as np
from numpy.typing import NDArray

from components.contracts.errors import TrainingError
from components.contracts.ranking_examples import ExamplesManifest, Split
from components.ranking.baselines import CATALOGUE_ORDER
from components.ranking.metrics import ndcg, ranked_lists

NEAR_PERFECT = 0.95
REQUESTS_LOOKED_AT = 200
FEWEST_REQUESTS = 20


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
