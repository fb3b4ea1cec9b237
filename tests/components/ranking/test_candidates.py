import numpy as np

from components.ranking.candidates import SOURCES, bits_of, generate_candidates
from components.ranking.pairs import Pairs, no_sources
from components.shop.settings import Candidates
from tests.components.ranking.frames import items_of, users_of

NONE = Candidates(history=0, popular=0, trending=0, neighbours=0, category=0, new=0, promoted=0, seen=0)


def only(**limits: int) -> Candidates:
    return NONE.model_copy(update=limits)


def names(pairs, users, items):
    return [(users.user_ids[u], items.item_ids[i]) for u, i in zip(pairs.user, pairs.item, strict=True)]


def test_history_keeps_the_strongest_own_items() -> None:
    items = items_of({"a": 3, "b": 1, "c": 2})
    users = users_of(items, {"u": {3: 1.0, 1: 5.0, 2: 2.0}, "v": {}})
    assert names(generate_candidates(users, items, only(history=2)), users, items) == [("u", "b"), ("u", "c")]


def test_items_that_are_not_merchandise_are_never_candidates() -> None:
    items = items_of({"a": 0, "fuel": 1}, is_merchandise={"fuel": 0.0}, purchases_decay_28={"a": 1.0, "fuel": 9.0})
    users = users_of(items, {"u": {1: 5.0}})
    assert names(generate_candidates(users, items, only(history=5, popular=5)), users, items) == [("u", "a")]


def test_an_item_found_by_two_sources_is_one_pair_with_both_bits() -> None:
    items = items_of({"a": 0}, purchases_decay_28={"a": 1.0})
    users = users_of(items, {"u": {0: 5.0}})
    pairs = generate_candidates(users, items, only(history=5, popular=5))
    assert pairs.sources.tolist() == [bits_of(["history", "popular"])]


def test_neighbours_are_weighted_by_similarity_and_own_strength() -> None:
    items = items_of(
        {"a": 0, "b": 1, "c": 2, "d": 3},
        neighbour_item={"a": [2], "b": [2, 3], "c": [], "d": []},
        neighbour_similarity={"a": [0.1], "b": [0.5, 0.9], "c": [], "d": []},
    )
    users = users_of(items, {"u": {0: 1.0, 1: 1.0}, "v": {0: 1.0}})
    assert names(generate_candidates(users, items, only(neighbours=1)), users, items) == [("u", "d"), ("v", "c")]


def test_categories_give_their_best_sellers() -> None:
    items = items_of(
        {"a": 0, "b": 1, "c": 2},
        category={"a": 0.0, "b": 0.0, "c": 1.0},
        purchases_decay_7={"a": 1.0, "b": 2.0, "c": 9.0},
    )
    users = users_of(items, {"u": {0: 1.0}})
    assert names(generate_candidates(users, items, only(category=5)), users, items) == [("u", "b")]


def test_new_items_are_those_first_sold_lately() -> None:
    items = items_of(
        {"old": 0, "new": 1}, days_since_first_sale={"new": 3.0}, purchases_decay_7={"old": 9.0, "new": 1.0}
    )
    users = users_of(items, {"u": {}})
    assert names(generate_candidates(users, items, only(new=5)), users, items) == [("u", "new")]


def test_item_codes_do_not_change_the_candidates() -> None:
    columns = {"purchases_decay_28": {"a": 1.0, "b": 1.0, "c": 1.0}}
    some, other = items_of({"a": 0, "b": 1, "c": 2}, **columns), items_of({"c": 0, "a": 7, "b": 3}, **columns)
    first = generate_candidates(users_of(some, {"u": {0: 1.0, 2: 1.0}}), some, only(history=1, popular=2))
    second = generate_candidates(users_of(other, {"u": {0: 1.0, 7: 1.0}}), other, only(history=1, popular=2))
    np.testing.assert_array_equal(first.item, second.item)
    np.testing.assert_array_equal(first.sources, second.sources)


def test_every_source_has_its_limit_and_its_bit() -> None:
    assert set(SOURCES) == set(Candidates.model_fields)
    bits = [int(bits_of([source])) for source in SOURCES]
    assert bits == [1, 2, 4, 8, 16, 32, 64, 128], "examples and bundles tell sources by these: a new one comes last"
    assert bits_of(SOURCES).dtype == Pairs(*[np.zeros(0, np.int32)] * 2, no_sources(0)).sources.dtype
