"""What an answer does without is defined, named, and the most severe lack comes first."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.contracts.errors import StoreError
from components.home.shop_note import ShopNote, write_shop_note
from components.ranking.candidates import candidate_pool
from components.ranking_service.answering import recommender as recommenders
from components.ranking_service.answering.answers import Fallback, Filters
from components.ranking_service.answering.recommender import Recommender
from components.ranking_service.answering.sessions import SessionEvent, Sessions
from components.shop.settings import Candidates
from feature_repo.packed_online_store.backends.lmdb_backend import LmdbBackend
from tests.components.ranking_service.served_shop import (
    Stocked,
    caller_of,
    item_ids,
    listed,
    ordered,
    put_online,
    recommender,
    serving,
)
from tests.waiting import until

ALL = [fallback.value for fallback in Fallback]


@pytest.fixture(scope="module")
def asked(shop: Stocked) -> Iterator[Recommender]:
    with recommender(shop) as found:
        yield found


def gone(*_: object) -> None:
    raise StoreError("gone")


def test_the_most_severe_of_several_is_named() -> None:
    assert Fallback.most_severe() is None
    assert Fallback.most_severe(None, Fallback.UNKNOWN_USER, None) is Fallback.UNKNOWN_USER
    for place, fallback in enumerate(Fallback):
        assert Fallback.most_severe(*reversed(list(Fallback)[place:])) is fallback
    assert ALL[0] == "no_bundle"
    assert ALL[-1] == "unknown_user"


def test_a_stranger_is_shown_what_sells_and_what_they_look_at_comes_with_its_neighbours(asked: Recommender) -> None:
    unknown = listed(asked, "nobody", 50)
    looking = listed(asked, "nobody", 50, viewed=["i03"])
    assert (unknown.fallback, looking.fallback) == (Fallback.UNKNOWN_USER, Fallback.SESSION_NEIGHBOURS)
    items = asked.pool.items
    place = asked.positions["i03"]
    near = slice(*items.arrays["neighbour_item"].offsets[place : place + 2])
    codes = items.arrays["neighbour_item"].values[near]
    similarity = items.arrays["neighbour_similarity"].values[near]
    positions = items.positions(codes)
    order = np.lexsort((positions, -similarity))
    neighbours = items.item_ids[positions[order]].tolist()
    assert neighbours
    assert item_ids(looking)[: len(neighbours)] == neighbours
    rest = [item for item in item_ids(unknown) if item not in neighbours]
    assert item_ids(looking)[len(neighbours) :] == rest
    scores = [item.score or 0.0 for item in looking.items]
    assert scores == sorted(scores, reverse=True)
    only = listed(asked, "nobody", 50, viewed=["i03"], filters=Filters(sources=["neighbours"]))
    assert item_ids(only) == neighbours


def test_a_stranger_who_looks_at_nothing_known_is_a_stranger(asked: Recommender) -> None:
    found = listed(asked, "nobody", viewed=["unheard of"])
    assert (found.fallback, found.items) == (Fallback.UNKNOWN_USER, listed(asked, "nobody").items)


def test_a_store_that_cannot_be_read_still_knows_what_is_looked_at(
    shop: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recommender(shop) as fresh:
        monkeypatch.setattr(LmdbBackend, "read", gone)
        found = listed(fresh, "u1", viewed=["i03"])
        answer = ordered(fresh, "u1", ["i01", "i02"])
    assert found.fallback is Fallback.STORE_UNAVAILABLE
    assert len(found.items) == 5
    assert answer.fallback is Fallback.STORE_UNAVAILABLE
    assert sorted(item_ids(answer)) == ["i01", "i02"]


def test_a_list_may_be_empty(asked: Recommender) -> None:
    nothing = Filters(brands=["no such brand"])
    found = listed(asked, "u1", filters=nothing, explain=True)
    assert (found.items, found.fallback, found.features.shape[0]) == ((), Fallback.EMPTY_CANDIDATES, 0)
    assert listed(asked, "nobody", filters=nothing).fallback is Fallback.EMPTY_CANDIDATES, "the most severe"
    assert listed(asked, "u1", filters=replace(nothing, sources=["seen"])).fallback is None, (
        "sources are the caller's choice"
    )


def test_a_filter_that_no_candidate_passes_lists_what_sells_best_of_what_does(asked: Recommender) -> None:
    every = item_ids(listed(asked, "u1", 100))
    asked.pool = candidate_pool(
        asked.pool.items, Candidates(**dict.fromkeys(Candidates.model_fields, 0) | {"history": 1})
    )
    (own,) = item_ids(listed(asked, "u1", 100))
    others = [item for item in every if item != own]
    found = listed(asked, "u1", 3, exclude=[own])
    sold = asked.pool.items.columns["purchases_decay_7"]
    assert found.fallback is Fallback.EMPTY_CANDIDATES
    assert len(found.items) == 3
    assert set(item_ids(found)) <= set(others)
    assert all(sold[asked.positions[item]] > 0 for item in item_ids(found))


def test_what_is_left_out_takes_no_place_among_what_sells_best(shop: Stocked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommenders, "BEST_SELLERS", 2)
    held = Sessions()
    with recommender(shop, held) as found:
        sold = found.pool.items.columns["purchases_decay_7"]
        best = [str(item) for item in found.pool.items.item_ids[np.argsort(-sold, kind="stable")]][:5]
        none = Candidates(**dict.fromkeys(Candidates.model_fields, 0))
        found.pool = candidate_pool(found.pool.items, none)
        assert sorted(item_ids(listed(found, "u1"))) == sorted(best[:2])
        excluded = listed(found, "u1", exclude=best[:2])
        assert excluded.fallback is Fallback.EMPTY_CANDIDATES
        assert sorted(item_ids(excluded)) == sorted(best[2:4])
        codes = found.pool.items.codes
        bought = [SessionEvent("u1", int(codes[found.positions[item]]), "purchase", shop.now) for item in best[::2][:2]]
        held.add(bought, lambda _: None)
        assert sorted(item_ids(listed(found, "u1", exclude=best[1:2]))) == sorted(best[3:5])


def test_rows_that_are_too_old_rank_and_are_told(shop: Stocked) -> None:
    with serving(shop.home, stale_after_days=1e-9) as live:
        service = caller_of(live)
        until(lambda: service.recommend("u1")["fallback"] == "stale_features")
        assert service.recommend("nobody")["fallback"] == "stale_features", "graver than an unknown user"
        with recommender(shop) as found:
            assert [item["item_id"] for item in service.recommend("u1")["items"]] == item_ids(listed(found, "u1"))


@pytest.fixture
def bare(shop: Stocked, tmp_path: Path) -> Stocked:
    """The home with its online rows and models, and nothing promoted; what a test breaks is its own."""
    home = replace(shop.home, root=tmp_path / "home")
    home.root.mkdir()
    write_shop_note(home, ShopNote("small", "small.toml"))
    (home.root / "online_url").write_text(shop.home.online_url)
    home.models.symlink_to(shop.home.models)
    return replace(shop, home=home)


def pointing_at(shop: Stocked, content: str) -> None:
    shop.home.environments.mkdir()
    (shop.home.environments / "local.json").write_text(content)


def moved(**changes: object) -> str:
    move = {"action": "promote", "bundle": "sha256:" + "0" * 64, "run_id": "r", "at": "t"} | changes
    return json.dumps({"environment": "local", "moves": [move]})


@pytest.mark.parametrize("pointer", [None, moved(), moved(action="rollback"), moved(bundle=5), "{", "[]"])
def test_without_a_bundle_the_best_baseline_ranks(bare: Stocked, pointer: str | None) -> None:
    if pointer is not None:
        pointing_at(bare, pointer)
    with serving(bare.home) as live:
        answer = caller_of(live).recommend("u1")
        stranger = caller_of(live).recommend("nobody")
        assert live.live is not None
        assert "champion" in live.live.trouble
    assert (answer["bundle"], answer["fallback"]) == ("baseline:popularity", "no_bundle"), "the verdict's best"
    assert stranger["fallback"] == "no_bundle", "graver than an unknown user"
    assert len(answer["items"]) == bare.bundle.manifest.k


def test_without_any_bundle_a_rule_of_thumb_ranks(bare: Stocked) -> None:
    bare.home.models.unlink()
    with serving(bare.home) as live:
        answer = caller_of(live).recommend("u1", explain=True)
    assert (answer["bundle"], answer["fallback"], len(answer["items"])) == ("baseline:buy_it_again", "no_bundle", 10)


def test_without_rows_there_is_nothing_to_rank_until_they_are_written(bare: Stocked) -> None:
    (bare.home.root / "online_url").unlink()
    with serving(bare.home) as live:
        service = caller_of(live)
        answer = service.recommend("u1")
        assert (answer["items"], answer["fallback"], answer["bundle"]) == ([], "store_unavailable", None)
        assert service.post("/v1/rank", json={"user_id": "u1", "items": ["i01"]}).json()["items"] == []
        ready = service.ask("GET", "/readyz")
        assert (ready.status_code, ready.headers["retry-after"]) == (503, "1")
        assert service.ask("GET", "/livez").status_code == 200
        put_online(bare.home, bare.features)
        until(lambda: service.ask("GET", "/readyz").status_code == 200)
        assert service.recommend("u1")["items"]


def test_an_arm_whose_bundle_cannot_be_opened_is_ranked_by_the_champion(
    bare: Stocked, shop: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointing_at(bare, (shop.home.environments / "local.json").read_text())
    bare.home.experiments.mkdir()
    (bare.home.experiments / "local.toml").write_text(
        'name = "x"\n[arms]\nchampion = { share = 0.1 }\nchallenger = { share = 0.9, bundle = "00000000" }\n'
    )
    with serving(bare.home) as live:
        service = caller_of(live)
        answers = [service.recommend(user) for user in ("u1", "u2", "u3", "u4", "nobody")]
        tried = [answer for answer in answers if answer["arm"] == "challenger"]
        assert tried
        assert {(answer["fallback"], answer["bundle"]) for answer in tried} == {("arm_unavailable", shop.bundle.digest)}
        forced = service.recommend("u1", arm="challenger")
        monkeypatch.setattr(LmdbBackend, "read", gone)
        assert service.recommend("u1", arm="challenger")["fallback"] == "arm_unavailable", "graver than the store's"
        assert service.recommend("u1", arm="champion")["fallback"] == "store_unavailable"
        monkeypatch.undo()
    with recommender(shop) as found:
        assert [item["item_id"] for item in forced["items"]] == item_ids(listed(found, "u1"))
