import numpy as np
import pytest

from components.ranking.baselines import BASELINE_NAMES, baseline_scores
from components.ranking.features import FEATURE_NAMES, ranking_features
from components.ranking.pairs import Pairs
from tests.components.ranking.frames import items_of, users_of


def every_pair(users: int, items: int) -> Pairs:
    user, item = np.divmod(np.arange(users * items, dtype=np.int32), np.int32(items))
    return Pairs(user, item, np.ones(users * items, dtype=np.uint8))


def column(name: str, matrix: np.ndarray) -> list[float]:
    return matrix[:, FEATURE_NAMES.index(name)].tolist()


def test_history_is_looked_up_by_user_and_item() -> None:
    items = items_of({"a": 5, "b": 2})
    users = users_of(items, {"u": {5: 1.5}, "v": {2: 2.5, 5: 3.5}})
    matrix = ranking_features(users, items, every_pair(2, 2))
    assert column("own_decay_112", matrix) == pytest.approx([1.5, 0.0, 3.5, 2.5])


def test_a_standing_counts_the_candidates_with_a_higher_value_and_ties_share_it() -> None:
    items = items_of({"a": 0, "b": 1, "c": 2})
    users = users_of(items, {"u": {1: 4.0}})
    matrix = ranking_features(users, items, every_pair(1, 3))
    assert column("own_decay_112_standing", matrix) == [1.0, 0.0, 1.0]


def test_history_of_an_item_without_a_row_is_dropped() -> None:
    items = items_of({"a": 0})
    users = users_of(items, {"u": {0: 1.0, 99: 4.0}})
    assert users.arrays["history_item"].values.tolist() == [0]


def test_buy_it_again_orders_own_items_first_and_fills_up_by_popularity() -> None:
    items = items_of({"a": 0, "b": 1, "c": 2}, purchases_decay_7={"a": 1.0, "b": 100.0, "c": 5.0})
    users = users_of(items, {"u": {0: 0.1}})
    scores = baseline_scores(users, items, every_pair(1, 3))[:, BASELINE_NAMES.index("buy_it_again")]
    assert np.argsort(-scores).tolist() == [0, 1, 2]
