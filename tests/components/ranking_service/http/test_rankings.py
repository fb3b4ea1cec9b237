"""Lists over HTTP: narrowed by filters, logged as they were scored, previews left out."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from components.bundles.batch import recommend_users
from components.bundles.loading import load_ranker
from components.experiments.experiment import experiment_file
from components.feedback.reading import served_lists
from components.ranking.candidates import SOURCES, candidates_of
from components.ranking.features import FEATURE_NAMES
from components.ranking_service.answering.admission import Rates
from components.ranking_service.answering.recommender import Recommender
from components.ranking_service.http.access import Access
from components.ranking_service.http.draining import Drain
from components.ranking_service.http.edge import EdgeDependencies, EdgeMiddleware
from components.ranking_service.http.routes import ranking_app
from components.ranking_service.live.serving import Serving
from components.ranking_service.settings import Limits
from components.ranking_service.telemetry.request_log import RequestLog
from tests.components.ranking_service.served_shop import (
    CATALOGUE,
    Caller,
    Stocked,
    caller_of,
    published,
    random_trees,
    recommender,
    serving,
)
from tests.waiting import until


@pytest.fixture(scope="module")
def asked(shop: Stocked) -> Iterator[Recommender]:
    with recommender(shop) as own:
        yield own


def ids(document: Any) -> list[str]:
    return [item["item_id"] for item in document["items"]]


def logged(shop: Stocked, request_id: str) -> dict[str, Any]:
    """The log's row of a request, once it is written."""

    def rows() -> list[dict[str, Any]]:
        return [row for row in served_lists(shop.home).to_pylist() if row["request_id"] == request_id]

    until(lambda: bool(rows()))
    (row,) = rows()
    return row


WORDS = {str(item["item_id"]): item for item in CATALOGUE}
Kept = Callable[[str], bool]


@pytest.mark.parametrize(
    ("filters", "keeps"),
    [
        ({"categories": ["FRUIT"]}, lambda item: WORDS[item]["category"] == ["FRUIT"]),
        ({"categories": ["FRUIT", "DAIRY"]}, lambda item: WORDS[item]["category"] != ["BREAD"]),
        ({"brands": ["A"]}, lambda item: WORDS[item]["brand"] == "A"),
        ({"max_price": 3}, lambda item: WORDS[item]["price"] <= 3),
        ({"brands": ["B"], "max_price": 2.5}, lambda item: WORDS[item]["brand"] == "B" and WORDS[item]["price"] <= 2.5),
        ({"in_stock_only": True}, lambda item: True),
        ({"categories": ["no such thing"]}, lambda item: False),
    ],
)
def test_a_filtered_list_is_the_whole_one_without_what_is_filtered(
    client: Caller, filters: dict[str, Any], keeps: Kept
) -> None:
    whole = client.recommend("u1", k=1000)["items"]
    expected = [item for item in whole if keeps(item["item_id"])]
    assert client.recommend("u1", k=1000, filters=filters)["items"] == expected
    assert client.recommend("u1", k=2, filters=filters)["items"] == expected[:2]


@pytest.mark.parametrize("limit", [1, 2])
def test_so_many_of_a_category_at_most(client: Caller, limit: int) -> None:
    taken: Counter[str] = Counter()
    expected = []
    for item in ids(client.recommend("u1", k=1000)):
        section = WORDS[item]["category"][0]
        taken[section] += 1
        if taken[section] <= limit:
            expected.append(item)
    assert ids(client.recommend("u1", k=1000, filters={"max_per_category": limit})) == expected


@pytest.mark.parametrize("sources", [["history"], ["neighbours"], ["popular"], ["history", "neighbours"], ["promoted"]])
def test_only_what_some_sources_bring(client: Caller, asked: Recommender, sources: list[str]) -> None:
    user = asked.known_user("u1")
    assert user is not None
    pairs = candidates_of(user, asked.pool)
    bits = sum(1 << SOURCES.index(source) for source in sources)
    brought = set(asked.pool.items.item_ids[pairs.item[(pairs.sources & bits) != 0]])
    expected = [item for item in ids(client.recommend("u1", k=1000)) if item in brought]
    assert ids(client.recommend("u1", k=1000, filters={"sources": sources})) == expected


def test_what_is_excluded_is_not_shown(client: Caller) -> None:
    whole = ids(client.recommend("u1", k=1000))
    assert ids(client.recommend("u1", k=3, exclude=[*whole[:4], "unheard of", whole[0]])) == whole[4:7]


def test_every_list_is_the_one_of_batch(client: Caller, shop: Stocked) -> None:
    users = pq.read_table(shop.features.newest("user_features"), columns=["user_id"])["user_id"].to_pylist()
    batch = recommend_users(shop.bundle, shop.features, users, k=7).to_pylist()
    for user in users:
        expected = [{"item_id": row["item_id"], "score": row["score"]} for row in batch if row["user_id"] == user]
        assert client.recommend(user, k=7)["items"] == expected


def test_what_was_served_is_logged_as_it_was_scored(client: Caller, shop: Stocked, live: Serving) -> None:
    before = live.now()
    answer = client.recommend("u1", k=4, context={"items": ["i02"], "page": "home"})
    row = logged(shop, answer["request_id"])
    assert (row["item_ids"], row["user_id"], row["bundle"], row["arm"]) == (
        ids(answer),
        "u1",
        answer["bundle"],
        "champion",
    )
    assert (row["experiment"], row["fallback"], row["shadow_arm"]) == (None, None, None)
    assert before <= row["event_time"] <= live.now()
    assert json.loads(row["context"]) == {"items": ["i02"], "page": "home"}
    assert row["propensities"] == [1.0] * 4
    assert row["scores"] == [item["score"] for item in answer["items"]]
    assert row["feature_list"] == shop.bundle.manifest.feature_list
    features = np.array(row["features"], dtype=np.float32).reshape(4, len(FEATURE_NAMES))
    nothing = np.zeros((4, len(shop.bundle.manifest.baseline_names)), dtype=np.float32)
    np.testing.assert_array_equal(load_ranker(shop.bundle).score(features, nothing), np.array(row["scores"], "f4"))


def test_given_items_are_logged_without_those_that_are_not_known(client: Caller, shop: Stocked) -> None:
    answer = client.post("/v1/rank", json={"user_id": "nobody", "items": ["i01", "unheard of", "i02"]}).json()
    row = logged(shop, answer["request_id"])
    assert (row["item_ids"], row["fallback"]) == (ids(answer)[:2], "unknown_user")
    assert len(row["features"]) == 2 * len(FEATURE_NAMES)


def test_a_preview_is_neither_logged_nor_counted(client: Caller, shop: Stocked, live: Serving) -> None:
    preview = client.recommend("nobody", arm="baseline")
    assert (preview["arm"], preview["bundle"]) == ("baseline", "baseline:popularity")
    counted = client.recommend("nobody")
    logged(shop, counted["request_id"])
    assert preview["request_id"] not in served_lists(shop.home)["request_id"].to_pylist()


def test_a_lists_id_begins_with_the_callers_request_id_and_is_never_given_twice(shop: Stocked, live: Serving) -> None:
    limits = Limits()
    parts = EdgeDependencies(
        Access(shop.home.api_keys), Rates(limits), live.queue, Drain(), live.measures, RequestLog(lambda _: None)
    )
    app = ranking_app()
    app.state.serving = live
    client = Caller(EdgeMiddleware(app, parts))
    previews = [client.recommend("stranger", arm="champion") for _ in range(2)]
    named = {"x-request-id": "shop-7"}
    answers = [client.post("/v1/recommend", json={"user_id": "stranger"}, headers=named) for _ in range(2)]
    assert {answered.headers["x-request-id"] for answered in answers} == {"shop-7"}
    ids = {answered.json()["request_id"] for answered in answers}
    assert len(ids) == 2
    for one in ids:
        assert one.startswith("shop-7-")
        assert logged(shop, one)["user_id"] == "stranger"
    assert all(preview["fallback"] == "unknown_user" for preview in previews)
    client.recommend("stranger", filters={"categories": ["no such thing"]})
    page = live.measures.page().decode()
    assert 'rankloop_fallbacks_total{arm="champion",fallback="unknown_user"} 2.0' in page, "previews are not counted"
    assert 'rankloop_empty_lists_total{arm="champion"} 1.0' in page


@pytest.fixture
def shadowed(shop: Stocked, tmp_path: Path) -> Stocked:
    """A home whose requests another bundle ranks too, unseen: ``bundle`` is that one."""
    home = replace(shop.home, root=tmp_path / "home")
    shutil.copytree(shop.home.root, home.root, ignore=shutil.ignore_patterns("feedback"))
    tried = published(home, tmp_path, random_trees(shop.features.revision, seed=8))
    experiment = experiment_file(home, "local")
    experiment.parent.mkdir()
    experiment.write_text('name = "x"\nshadow = "challenger"\n[arms]\nchampion = { share = 1.0 }\n')
    return replace(shop, home=home, bundle=tried)


def test_the_shadows_list_is_logged_beside_the_one_that_is_shown(shop: Stocked, shadowed: Stocked) -> None:
    with serving(shadowed.home) as live:
        service = caller_of(live)
        shown = service.recommend("u1", filters={"brands": ["A"]})
        unseen = service.recommend("u1", filters={"brands": ["A"]}, arm="challenger")
        row = logged(shadowed, shown["request_id"])
    assert (shown["bundle"], unseen["bundle"]) == (shop.bundle.digest, shadowed.bundle.digest)
    assert (row["shadow_arm"], row["item_ids"], row["shadow_item_ids"]) == ("challenger", ids(shown), ids(unseen))
    assert row["shadow_scores"] == [item["score"] for item in unseen["items"]]


def test_a_shadow_that_fails_costs_the_log_no_list(shadowed: Stocked, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("not thought of")

    with serving(shadowed.home) as live:
        assert live.live is not None
        monkeypatch.setattr(live.live.arms["challenger"], "prepare", fail)
        shown = caller_of(live).recommend("u1")
        row = logged(shadowed, shown["request_id"])
    assert (row["item_ids"], row["shadow_arm"], row["shadow_item_ids"]) == (ids(shown), None, None)
