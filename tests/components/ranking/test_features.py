import numpy as np
import pytest

from components.ranking.baselines import BASELINE_NAMES, baseline_scores
from components.ranking.candidates import neighbour_weights
from components.ranking.features import FEATURE_NAMES, FEATURES, RANKS, ranking_features
from components.ranking.pair_columns import PairColumns
from components.ranking.pairs import Pairs
from tests.components.ranking.frames import items_of, users_of


def every_pair(users: int, items: int) -> Pairs:
    user, item = np.divmod(np.arange(users * items, dtype=np.int32), np.int32(items))
    return Pairs(user, item, np.ones(users * items, dtype=np.uint32))


def column(name: str, matrix: np.ndarray) -> list[float]:
    return matrix[:, FEATURE_NAMES.index(name)].tolist()


def test_history_is_looked_up_by_user_and_item() -> None:
    items = items_of({"a": 5, "b": 2})
    users = users_of(items, {"u": {5: 1.5}, "v": {2: 2.5, 5: 3.5}})
    matrix = ranking_features(users, items, every_pair(2, 2))
    assert column("own_decay_112", matrix) == pytest.approx([1.5, 0.0, 3.5, 2.5])


def test_returns_leave_negative_counts() -> None:
    items = items_of({"a": 5, "b": 2})
    users = users_of(items, {"u": {5: -0.75}})
    matrix = ranking_features(users, items, every_pair(1, 2))
    assert column("own_decay_112", matrix) == [-0.75, 0.0]
    assert column("own_decay_112_standing", matrix) == [1.0, 0.0]


def test_a_standing_counts_the_candidates_with_a_higher_value_and_ties_share_it() -> None:
    items = items_of({"a": 0, "b": 1, "c": 2})
    users = users_of(items, {"u": {1: 4.0}})
    matrix = ranking_features(users, items, every_pair(1, 3))
    assert column("own_decay_112_standing", matrix) == [1.0, 0.0, 1.0]


def test_standings_that_are_found_together_are_those_found_one_by_one() -> None:
    items = items_of(
        {"a": 0, "b": 1, "c": 2, "d": 3}, purchases_decay_28={"a": 2.0, "b": -1.0, "c": 2.0, "d": float("nan")}
    )
    users = users_of(items, {"u": {1: 4.0, 2: 4.0}, "v": {}, "w": {0: 1.0, 3: 2.0}})
    columns = PairColumns(users, items, every_pair(3, 4))
    matrix = ranking_features(users, items, every_pair(3, 4))
    for name in (FEATURE_NAMES[place] for place in RANKS):
        np.testing.assert_array_equal(FEATURES[name](columns), column(name, matrix))


def test_users_are_the_same_alone_and_together() -> None:
    items = items_of(
        {"a": 5, "b": 2, "c": 7},
        category={"a": 0.0, "b": 1.0},
        neighbour_item={"a": [2, 7], "b": [7], "c": []},
        neighbour_similarity={"a": [0.5, 0.25], "b": [1.0], "c": []},
    )
    histories = {"u": {5: 1.5}, "v": {}, "w": {2: 2.5, 5: 3.5}}
    together = ranking_features(users_of(items, histories), items, every_pair(3, 3))
    alone = [ranking_features(users_of(items, {u: histories[u]}), items, every_pair(1, 3)) for u in histories]
    np.testing.assert_array_equal(np.concatenate(alone), together)


def test_what_was_found_of_users_among_some_items_is_not_handed_out_for_others() -> None:
    lists = {"neighbour_item": {"a": [1], "b": []}, "neighbour_similarity": {"a": [0.5], "b": []}}
    items, others = items_of({"a": 0, "b": 1}, **lists), items_of({"b": 1, "a": 0, "aa": 2}, **lists)
    users = users_of(items, {"u": {0: 1.0}})
    assert neighbour_weights(users, items)[1].tolist() == [1]
    assert neighbour_weights(users, others)[1].tolist() == [2]


def test_history_of_an_item_without_a_row_is_dropped() -> None:
    items = items_of({"a": 0})
    users = users_of(items, {"u": {0: 1.0, 99: 4.0}})
    assert users.arrays["history_item"].values.tolist() == [0]


def test_buy_it_again_orders_own_items_first_and_fills_up_by_popularity() -> None:
    items = items_of({"a": 0, "b": 1, "c": 2}, purchases_decay_7={"a": 1.0, "b": 100.0, "c": 5.0})
    users = users_of(items, {"u": {0: 0.1}})
    scores = baseline_scores(users, items, every_pair(1, 3))[:, BASELINE_NAMES.index("buy_it_again")]
    assert np.argsort(-scores).tolist() == [0, 1, 2]


def test_plain_counts_are_ordered_by_popularity_where_they_are_equal_and_returns_come_last() -> None:
    popular = {"a": 3.0, "b": 9.0, "c": 90.0, "d": -40.0, "e": 5.0}
    items = items_of(dict(zip("abcde", range(5), strict=True)), purchases_decay_7=popular)
    users = users_of(items, {"u": {0: 100.0, 1: 100.0, 3: 101.0, 4: -1.0}}, count="history_trips")
    scores = baseline_scores(users, items, every_pair(1, 5))[:, BASELINE_NAMES.index("buy_it_again_count")]
    assert np.argsort(-scores).tolist() == [3, 1, 0, 2, 4]


def test_a_longer_half_life_weighs_what_was_bought_long_ago() -> None:
    items = items_of({"a": 0, "b": 1})
    users = users_of(items, {"u": {0: 2.0, 1: 1.0}}, count="history_decay_112")
    scores = baseline_scores(users, items, every_pair(1, 2))
    assert np.argsort(-scores[:, BASELINE_NAMES.index("buy_it_again_slow")]).tolist() == [0, 1]
    assert not scores[:, BASELINE_NAMES.index("buy_it_again")].any()
