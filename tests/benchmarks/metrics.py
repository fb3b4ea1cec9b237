"""Ranking metrics of 400,000 candidate rows against Evidently's NDCG.

    python -m tests.benchmarks.metrics

Both sides start from the same scores and labels in memory, 2,000 requests of 200 candidates, and end with NDCG@10 of
every request or its mean. Imports and Evidently's data set are not counted. Evidently knows no requests, so each is
given to it as a user of its own.
"""

import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components.ranking.metrics import average_precision, hit, ndcg, precision, ranked_lists, recall
from components.ranking.resampling import resampled_means

REQUESTS = 2_000
CANDIDATES = 200
K = 10
REPEATS = 5


def rows() -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Draw requests, scores and labels: 3 % of the candidates are relevant."""
    random = np.random.default_rng(1)
    request = np.repeat(np.arange(REQUESTS, dtype=np.int32), CANDIDATES)
    scores = random.normal(size=len(request)).astype(np.float32)
    labels = (random.random(len(request)) < 1 / (1 + np.exp(4.2 - scores))).astype(np.float32)
    return request, scores, labels


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Best of some repeats."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def evidently_ndcg(request: NDArray[np.int32], scores: NDArray[np.float32], labels: NDArray[np.float32]) -> float:
    """Seconds of Evidently's NDCG report on a data set that is ready."""
    from evidently import DataDefinition, Dataset, Recsys, Report
    from evidently.metrics import NDCG

    frame = pd.DataFrame(
        {
            "user_id": request,
            "item_id": np.tile(np.arange(CANDIDATES), REQUESTS),
            "prediction": scores,
            "target": labels,
        }
    )
    definition = DataDefinition(ranking=[Recsys(recommendations_type="score")])
    data = Dataset.from_pandas(frame, data_definition=definition)
    return seconds(lambda: Report([NDCG(k=K)]).run(data, None), repeats=1)


def main() -> None:
    """Print seconds and ratios."""
    warnings.simplefilter("ignore")
    request, scores, labels = rows()
    relevant = np.bincount(request, weights=labels).astype(np.int64)

    def five_metrics() -> None:
        lists = ranked_lists(request, scores, labels, relevant, K)
        for metric in (ndcg, average_precision, hit, recall, precision):
            metric(lists)

    own = seconds(lambda: ndcg(ranked_lists(request, scores, labels, relevant, K)))
    five = seconds(five_metrics)
    values = np.random.default_rng(2).random((REQUESTS, 12))
    bootstrap = seconds(lambda: resampled_means(values, np.arange(REQUESTS), 2_000, seed=1))
    theirs = evidently_ndcg(request, scores, labels)
    print(f"ranking metrics, {len(request):,} rows, {REQUESTS:,} requests, k {K}")
    print(f"  NDCG            {own * 1000:9.1f} ms")
    print(f"  five metrics    {five * 1000:9.1f} ms")
    print(f"  Evidently NDCG  {theirs * 1000:9.1f} ms   ratio {theirs / own:.0f} x (at least 50 x wanted)")
    print(f"  bootstrap       {bootstrap * 1000:9.1f} ms   2,000 resamples of {REQUESTS:,} users, 12 columns")


if __name__ == "__main__":
    main()
