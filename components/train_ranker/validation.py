"""How contenders do on the validation split: round by round, and for the training report."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.contracts.ranking_examples import Split
from components.ranking.metrics import ndcg, ranked_lists
from components.ranking.rivals import request_ndcg


@dataclass(frozen=True)
class Judges:
    """Rows of whole validation requests that judge every round of a fit.

    ``features`` float32 [rows, features], ``labels`` in {0, 1} and ``request`` (from 0, ascending) [rows].
    """

    features: NDArray[np.float32]
    labels: NDArray[np.float32]
    request: NDArray[np.integer]

    def ndcg(self, scores: NDArray[np.floating], k: int) -> float:
        """Mean NDCG@k over the requests; where there is nothing to order it is 1, NaN when a score is."""
        if not np.isfinite(scores).all():
            return float("nan")
        relevant = np.bincount(self.request, weights=self.labels).astype(np.int64)
        ndcgs = ndcg(ranked_lists(self.request, scores, self.labels, relevant, k))
        return float(np.nan_to_num(ndcgs, nan=1.0).mean())


def mean_ndcg(split: Split, scores: NDArray[np.floating], k: int) -> float:
    """Mean NDCG@k of a score for each row, over the requests that had a success."""
    ndcg = request_ndcg(split, scores, k)
    return float(np.nanmean(ndcg)) if np.isfinite(ndcg).any() else 0.0
