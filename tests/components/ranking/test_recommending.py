import numpy as np

from components.contracts.shop import Candidates, Rules
from components.ranking.baselines import BASELINE_NAMES
from components.ranking.recommending import recommend
from components.ranking.rows import Floats
from tests.components.ranking.frames import items_of, users_of

LIMITS = Candidates(history=10, popular=10)


def sold(counts: dict[str, float]) -> dict[str, dict[str, float]]:
    return {"purchases_decay_7": counts, "purchases_decay_28": counts}


def popularity(features: Floats, baselines: Floats) -> Floats:
    return baselines[:, BASELINE_NAMES.index("recent_popularity")]


def ranked(rules: Rules, k: int = 3) -> list[tuple[str, int]]:
    items = items_of(
        {"a": 0, "b": 1, "c": 2, "d": 3},
        **sold({"a": 4.0, "b": 3.0, "c": 2.0, "d": 2.0}),
        category={"a": 0.0, "b": 0.0, "c": 1.0},
    )
    users = users_of(items, {"u": {}})
    return [
        (items.item_ids[item], int(rank))
        for part in recommend(popularity, users, items, LIMITS, rules, k)
        for item, rank in zip(part.item, part.rank, strict=True)
    ]


def test_the_best_k_come_in_order_and_ties_go_by_item_id() -> None:
    assert ranked(Rules()) == [("a", 1), ("b", 2), ("c", 3)]


def test_at_most_so_many_of_a_category_and_items_without_one_are_not_limited() -> None:
    assert ranked(Rules(max_per_category=1)) == [("a", 1), ("c", 2), ("d", 3)]


def test_users_are_ranked_alike_alone_and_together() -> None:
    items = items_of({"a": 0, "b": 1}, **sold({"a": 2.0, "b": 1.0}))
    together = users_of(items, {"u": {1: 3.0}, "v": {0: 1.0}})
    alone = users_of(items, {"v": {0: 1.0}})
    (both,), (one,) = (list(recommend(popularity, users, items, LIMITS, Rules(), 2)) for users in (together, alone))
    np.testing.assert_array_equal(both.item[both.user == 1], one.item)
    np.testing.assert_array_equal(both.features[both.user == 1], one.features)
