"""Baselines that a ranker must beat: each scores the same candidates from the same rows.

A bundle names its baseline: one whose definition changes gets another name.
"""

from collections.abc import Callable

import numpy as np

from components.ranking.pair_columns import PairColumns
from components.ranking.pairs import Pairs
from components.ranking.rows import Floats, ItemRows, UserRows

CATALOGUE_ORDER = "no_op"  # a yardstick only: the order of the ids says nothing about a customer
FILL = np.float32(1e-6)  # orders what a baseline has no opinion on by popularity, below all that it has
TIES = np.float32(0.5)  # orders equal whole counts by popularity, below the next one; a float32 holds it up to 10,000


def _popularity(p: PairColumns) -> Floats:
    return p.item("purchases_91d")


def _recent_popularity(p: PairColumns) -> Floats:
    return p.item("purchases_decay_7")


def _buy_it_again(p: PairColumns) -> Floats:
    return p.user_item_count("decay_56") + FILL * _popular(p) / p.items.most_bought_lately


def _buy_it_again_slow(p: PairColumns) -> Floats:
    return p.user_item_count("decay_112") + FILL * _popular(p) / p.items.most_bought_lately


def _buy_it_again_count(p: PairColumns) -> Floats:
    return p.user_item_count("trips") + TIES * np.fmax(_popular(p), 0) / p.items.most_bought_lately


def _popular(p: PairColumns) -> Floats:
    return np.nan_to_num(_recent_popularity(p), nan=0.0)


def _no_op(p: PairColumns) -> Floats:
    return -p.pairs.item.astype(np.float32)


BASELINES: dict[str, Callable[[PairColumns], Floats]] = {
    "popularity": _popularity,
    "recent_popularity": _recent_popularity,
    "buy_it_again": _buy_it_again,  # decayed with a half-life of 56 days
    "buy_it_again_slow": _buy_it_again_slow,  # of 112 days
    "buy_it_again_count": _buy_it_again_count,  # as often as they bought it, however long ago
    CATALOGUE_ORDER: _no_op,
}

BASELINE_NAMES = tuple(BASELINES)
BUY_IT_AGAIN = tuple(name for name in BASELINES if name.startswith("buy_it_again"))


def baseline_scores(users: UserRows, items: ItemRows, pairs: Pairs) -> Floats:
    """Score pairs by every baseline. Returns float32 [pairs, baselines] in the order of ``BASELINE_NAMES``."""
    return baselines_of(PairColumns(users, items, pairs))


def baselines_of(columns: PairColumns) -> Floats:
    """As ``baseline_scores``, of pairs whose columns others look at too."""
    scores = np.column_stack([baseline(columns) for baseline in BASELINES.values()])
    return np.nan_to_num(scores.astype(np.float32), nan=0.0)
