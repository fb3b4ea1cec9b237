"""How contenders do on the validation split: for the training report, and to choose a baseline."""

import numpy as np
from numpy.typing import NDArray

from components.contracts.examples import ExamplesManifest, Split
from components.ranking.metrics import ndcg, ranked_lists


def baseline_ndcg(manifest: ExamplesManifest, validation: Split, k: int) -> dict[str, float]:
    """Mean NDCG@k of each baseline; empty when no validation request had a success."""
    if not (validation.requests["relevant"].to_numpy() > 0).any():
        return {}
    names = manifest.baseline_names
    return {name: mean_ndcg(validation, validation.baselines[:, column], k) for column, name in enumerate(names)}


def mean_ndcg(split: Split, scores: NDArray[np.floating], k: int) -> float:
    """Mean NDCG@k of a score for each row, over the requests that had a success."""
    request, labels = split.rows["request"].to_numpy(), split.rows["label"].to_numpy()
    found = ndcg(ranked_lists(request, scores, labels, split.requests["relevant"].to_numpy(), k))
    return float(np.nanmean(found)) if np.isfinite(found).any() else 0.0
