from dataclasses import replace

import numpy as np

from components.ranking.baselines import BASELINE_NAMES
from components.ranking.candidates import generate_candidates
from components.ranking.recommending import (
    Scored,
    recommend,
    scored_pairs,
    scored_together,
    users_between,
    users_joined,
)
from components.ranking.rows import Floats, Ragged
from components.shop.settings import Candidates, Rules
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


def test_users_that_were_read_apart_are_scored_as_if_alone() -> None:
    calls = []

    def score(features: Floats, baselines: Floats) -> Floats:
        calls.append(len(features))
        return popularity(features, baselines)

    items = items_of({"a": 0, "b": 1, "c": 2}, **sold({"a": 2.0, "b": 1.0, "c": 1.0}))
    every = users_of(items, {"u": {1: 3.0}, "v": {0: 1.0, 2: 4.0}, "w": {}})
    several = [users_between(every, place, place + 1) for place in range(3)]
    exact = replace(several[1], arrays={name: as_float64(ragged) for name, ragged in several[1].arrays.items()})
    asked = [(users, generate_candidates(users, items, LIMITS)) for users in (*several, exact, every)]
    together = scored_together(score, asked, items)
    assert len(calls) == 2, "all at once, but for the user whose columns have other types"
    for (users, pairs), scored in zip(asked, together, strict=True):
        alone = scored_pairs(popularity, users, items, pairs)
        assert scored.pairs is pairs
        for found, expected in zip(arrays_of(scored), arrays_of(alone), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_user_rows_that_were_taken_apart_are_joined_again() -> None:
    items = items_of({"a": 0, "b": 1}, **sold({"a": 2.0, "b": 1.0}))
    every = users_of(items, {"u": {1: 3.0}, "v": {}, "w": {0: 1.0, 1: 2.0}})
    joined = users_joined([users_between(every, 0, 1), users_between(every, 1, 3)])
    assert joined.user_ids.tolist() == ["u", "v", "w"]
    for name, ragged in every.arrays.items():
        np.testing.assert_array_equal(joined.arrays[name].offsets, ragged.offsets)
        np.testing.assert_array_equal(joined.arrays[name].values, ragged.values)
    pairs = generate_candidates(every, items, LIMITS)
    np.testing.assert_array_equal(generate_candidates(joined, items, LIMITS).item, pairs.item)


def as_float64(ragged: Ragged) -> Ragged:
    """Values of another type, where they are no positions: such rows are not joined with the others."""
    is_float = ragged.values.dtype.kind == "f"
    return Ragged(ragged.offsets, ragged.values.astype(np.float64)) if is_float else ragged


def arrays_of(scored: Scored) -> list[Floats]:
    return [scored.score, scored.features, scored.baselines]
