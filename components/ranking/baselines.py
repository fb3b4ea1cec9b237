"""Baselines that a ranker must beat: each scores the same candidates from the same rows."""

from collections.abc import Callable

import numpy as np

from components.ranking.pair_columns import PairColumns
from components.ranking.pairs import Pairs
from components.ranking.rows import Floats, ItemRows, UserRows

FILL = np.float32(1e-6)  # orders what a baseline has no opinion on by popularity, below all that it has


def _popularity(p: PairColumns) -> Floats:
    return p.item("purchases_91d")


def _recent_popularity(p: PairColumns) -> Floats:
    return p.item("purchases_decay_7")


def _buy_it_again(p: PairColumns) -> Floats:
    popular = np.nan_to_num(_recent_popularity(p), nan=0.0)
    return p.own_count("decay_56") + FILL * popular / p.items.most_bought_lately


def _no_op(p: PairColumns) -> Floats:
    return -p.pairs.item.astype(np.float32)


BASELINES: dict[str, Callable[[PairColumns], Floats]] = {
    "popularity": _popularity,
    "recent_popularity": _recent_popularity,
    "buy_it_again": _buy_it_again,
    "no_op": _no_op,  # the catalogue's own order
}

BASELINE_NAMES = tuple(BASELINES)


def baseline_scores(users: UserRows, items: ItemRows, pairs: Pairs) -> Floats:
    """Score pairs by every baseline. Returns float32 [pairs, baselines] in the order of ``BASELINE_NAMES``."""
    return baselines_of(PairColumns(users, items, pairs))


def baselines_of(columns: PairColumns) -> Floats:
    """As ``baseline_scores``, of pairs whose columns others look at too."""
    scores = np.column_stack([baseline(columns) for baseline in BASELINES.values()])
    return np.nan_to_num(scores.astype(np.float32), nan=0.0)
