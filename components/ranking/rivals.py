"""Which simple rules a ranker must beat: buy-it-again is a family, and its best on earlier weeks stands for it.

A shop whose customers come back slowly is served best by plain counts, one whose habits change by decayed ones. The
choice uses weeks before the held-out weeks, so the held-out weeks treat all contenders equally.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from components.contracts.ranking_examples import Split
from components.ranking.baselines import BUY_IT_AGAIN, CATALOGUE_ORDER
from components.ranking.metrics import ndcg, ranked_lists


def rivals(names: Sequence[str], earlier: Sequence[Split], k: int) -> tuple[str, ...]:
    """Return the rules that stand for all ``names``: of buy-it-again only the best on the ``earlier`` splits, first."""
    family = [name for name in names if name in BUY_IT_AGAIN]
    scored = rule_ndcg(names, earlier, k)
    best = max(family, key=lambda name: scored.get(name, 0.0), default=None)
    return (*([best] if best else []), *(name for name in names if name not in BUY_IT_AGAIN))


def best_rule(names: Sequence[str], train: Split, validation: Split, k: int) -> str:
    """Return the rule to serve by: the rival that ranked the validation requests best, never the catalogue's order."""
    standing = [name for name in rivals(names, (train, validation), k) if name != CATALOGUE_ORDER]
    scored = rule_ndcg(names, [validation], k)
    return max(standing or names, key=lambda name: scored.get(name, 0.0))


def rule_ndcg(names: Sequence[str], splits: Iterable[Split], k: int) -> dict[str, float]:
    """Mean NDCG@k of each rule over the requests of some splits; empty when none of these had a success."""
    relevant_splits = [split for split in splits if (split.requests["relevant"].to_numpy() > 0).any()]
    gains = {
        name: np.concatenate([request_ndcg(split, split.baselines[:, column], k) for split in relevant_splits])
        for column, name in enumerate(names if relevant_splits else ())
    }
    return {name: float(np.nanmean(gain)) for name, gain in gains.items()}


def request_ndcg(split: Split, scores: NDArray[np.floating], k: int) -> NDArray[np.float64]:
    """NDCG@k of each request by a score for each row; NaN for those without a success."""
    request, labels = split.rows["request"].to_numpy(), split.rows["label"].to_numpy()
    return ndcg(ranked_lists(request, scores, labels, split.requests["relevant"].to_numpy(), k))
