"""The service answers what batch answers, and something for everybody."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from components.bundles.batch import recommend_users
from components.contracts.errors import StoreError
from components.ranking.candidates import candidate_pool
from components.ranking_service.answering import recommender as recommender_module
from components.ranking_service.answering.answers import Fallback, Filters
from components.ranking_service.answering.recommender import Recommender
from feature_repo.packed_online_store.backends.lmdb_backend import LmdbBackend
from tests.components.ranking_service.served_shop import Stocked, item_ids, listed, ordered, recommender


@pytest.fixture
def asked(shop: Stocked) -> Iterator[Recommender]:
    with recommender(shop) as found:
        yield found


def test_everybodys_list_is_the_one_of_batch_to_the_last_bit(shop: Stocked, asked: Recommender) -> None:
    users = pq.read_table(shop.features.newest("user_features"), columns=["user_id"])["user_id"].to_pylist()
    batch = recommend_users(shop.bundle, shop.features, [*users, "nobody"], k=4).to_pylist()
    assert len({row["score"] for row in batch}) > len(users)
    for user in (*users, "nobody"):
        answer = listed(asked, user, 4)
        expected = [(row["item_id"], row["score"]) for row in batch if row["user_id"] == user]
        assert [(item.item_id, item.score) for item in answer.items] == expected
        assert answer.fallback == (Fallback.UNKNOWN_USER if user == "nobody" else None)
        assert answer.bundle == shop.bundle.digest


def test_what_the_caller_excludes_makes_room_for_the_next(asked: Recommender) -> None:
    every = item_ids(listed(asked, "u1", 6))
    left = listed(asked, "u1", 4, exclude=[every[0], every[2], "no such item"])
    assert item_ids(left) == [every[1], *every[3:6]]


def test_what_is_out_of_stock_is_listed_only_where_the_rule_is_set_aside(asked: Recommender) -> None:
    every = item_ids(listed(asked, "u1", 4))
    items, limits = asked.pool.items, asked.pool.limits
    in_stock = np.ones(len(items), dtype=np.float32)
    in_stock[asked.positions[every[0]]] = 0
    asked.pool = candidate_pool(replace(items, columns=items.columns | {"in_stock": in_stock}), limits)
    assert every[0] not in item_ids(listed(asked, "u1", 100))
    assert item_ids(listed(asked, "u1", 4, filters=Filters(in_stock_only=False))) == every


def test_given_items_stand_as_among_all_candidates_and_unknown_ones_last(asked: Recommender) -> None:
    every = listed(asked, "u1", 100).items
    some = [every[5], every[1], every[3]]
    given = ["no such item", *(item.item_id for item in some), some[0].item_id]
    answer = ordered(asked, "u1", given)
    assert [(item.item_id, item.score) for item in answer.items] == [
        *((item.item_id, item.score) for item in sorted(some, key=every.index)),
        ("no such item", None),
    ]
    assert len(answer.features) == len(some)
    assert ordered(asked, "u1", []).items == ()


def test_each_item_tells_its_reasons_when_asked(asked: Recommender) -> None:
    plain, explained = listed(asked, "u1"), listed(asked, "u1", explain=True)
    assert all(not item.reasons for item in plain.items)
    assert all(item.reasons for item in explained.items)
    assert item_ids(explained) == item_ids(plain)


def test_of_a_long_list_the_best_tell_theirs(asked: Recommender, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = listed(asked, "u1", explain=True).items
    monkeypatch.setattr(recommender_module, "MAX_EXPLAINED", 2)
    assert [item.reasons for item in listed(asked, "u1", explain=True).items] == [
        *(item.reasons for item in whole[:2]),
        *[()] * (len(whole) - 2),
    ]


def test_a_store_that_cannot_be_read_costs_the_history_not_the_answer(
    shop: Stocked, asked: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise StoreError("gone")

    with recommender(shop) as fresh:
        monkeypatch.setattr(LmdbBackend, "read", gone)
        answer = listed(fresh, "u1", 3)
    monkeypatch.undo()
    assert answer.fallback is Fallback.STORE_UNAVAILABLE
    assert answer.items == listed(asked, "nobody", 3).items
