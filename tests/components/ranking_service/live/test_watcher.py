"""The service follows what is promoted, tried and materialized, without being started again."""

import asyncio
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from components.bundles.loading import Bundle
from components.bundles.promotion import promote, rollback
from components.bundles.sidecar import write_sidecar
from components.bundles.warmup import Warmup
from components.contracts.errors import ConfigurationError
from components.experiments.experiment import experiment_file
from components.feedback.acknowledgements import TombstoneAcknowledger
from components.materialize_features.packed_rows import open_client
from components.ranking_service.answering.sessions import Sessions
from components.ranking_service.http.routes import ranking_app
from components.ranking_service.live import watcher
from components.ranking_service.live.loader import LiveLoader
from components.ranking_service.live.serving import Serving
from components.ranking_service.live.state import LiveState
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.project import PROJECT
from tests.components.bundles.drafts import baseline_draft, small_manifest
from tests.components.ranking_service.served_shop import (
    PATIENCE_SECONDS,
    PROMOTED_AT,
    Stocked,
    caller_of,
    published,
    put_online,
    random_trees,
    serving,
)
from tests.waiting import until

pytestmark = pytest.mark.slow(seconds=30)

TRYING = 'name = "x"\n[arms]\nchampion = {{ share = {champion} }}\nbaseline = {{ share = {baseline} }}\n'


@pytest.fixture(scope="module")
def template(stocked_shop: Stocked) -> tuple[Stocked, Bundle]:
    """A home, and a second bundle that may be promoted there."""
    shop = stocked_shop
    rules: dict[str, Any] = {"max_per_category": 1, "in_stock_only": None, "not_merchandise": {}}
    other = published(shop.home, shop.home.root.parent, random_trees(shop.features.revision, seed=6, rules=rules))
    return shop, other


@pytest.fixture
def shop(template: tuple[Stocked, Bundle], tmp_path: Path) -> Stocked:
    """A copy of the home, to be broken."""
    found, _ = template
    home = replace(found.home, root=tmp_path / "home")
    shutil.copytree(found.home.root, home.root, ignore=shutil.ignore_patterns("feedback"))
    return replace(found, home=home)


@pytest.fixture
def other(template: tuple[Stocked, Bundle]) -> Bundle:
    return template[1]


@pytest.fixture
def live(shop: Stocked, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    monkeypatch.setattr(watcher, "RETRY_SECONDS", 0.5)
    with serving(shop.home) as found:
        yield found


def now(service: Serving) -> LiveState:
    assert service.live is not None
    return service.live


def folder_of(shop: Stocked, bundle: Bundle) -> Path:
    return shop.home.models / bundle.folder.relative_to(bundle.folder.parents[2])


def move_to(shop: Stocked, bundle: Bundle) -> None:
    promote(shop.home, "small", bundle.digest, "local", PROMOTED_AT)


def serves(service: Serving, digest: str) -> bool:
    return bool(caller_of(service).recommend("u1")["bundle"] == digest)


def tamper(folder: Path) -> bytes:
    whole = (folder / "logit.ubj").read_bytes()
    (folder / "logit.ubj").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    return whole


def judge(shop: Stocked, bundle: Bundle, verdict: Any) -> None:
    """Put another verdict into a published bundle's sidecar, and have its environment looked at again."""
    write_sidecar(folder_of(shop, bundle), replace(bundle.sidecar, verdict=verdict))
    pointer = shop.home.environments / "local.json"
    pointer.write_bytes(pointer.read_bytes() + b"\n")


def test_promotion_and_rollback_are_followed(shop: Stocked, other: Bundle, live: Serving) -> None:
    move_to(shop, other)
    until(lambda: serves(live, other.digest))
    rollback(shop.home, "small", "local", PROMOTED_AT)
    until(lambda: serves(live, shop.bundle.digest))
    assert live.watcher.refused == 0


def test_titles_that_could_not_be_read_are_read_again(
    shop: Stocked, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watcher, "RETRY_SECONDS", 0.5)
    with open_client(shop.home, shop.features) as client:
        words = client.catalogue() or b""
        client.set_catalogue(b"damaged")
        with serving(shop.home) as live:
            assert not now(live).catalogue.sections(now(live).champion.pool.allowed)
            assert caplog.text.count("ids stand for them") == 1
            client.set_catalogue(words)
            until(lambda: not now(live).catalogue.trouble)
            assert now(live).catalogue.sections(now(live).champion.pool.allowed)
            assert now(live).champion.catalogue is now(live).catalogue
            assert live.watcher.refused == 0


def test_the_baselines_arm_follows_the_rules_of_the_champion(shop: Stocked, other: Bundle, live: Serving) -> None:
    before = now(live).arms["baseline"]
    move_to(shop, other)
    until(lambda: serves(live, other.digest))
    after = now(live).arms["baseline"]
    assert after.bundle.digest == before.bundle.digest
    assert (before.bundle.manifest.rules, after.bundle.manifest.rules) == (
        shop.bundle.manifest.rules,
        other.manifest.rules,
    )


def test_what_does_not_change_is_not_loaded_again(shop: Stocked, live: Serving) -> None:
    before = now(live)
    opened = live.watcher
    promoted = shop.home.environments / "local.json"
    promoted.write_bytes(promoted.read_bytes() + b"\n")
    experiment = experiment_file(shop.home, "local")
    experiment.parent.mkdir()
    experiment.write_text(TRYING.format(champion=0.5, baseline=0.5))
    until(lambda: now(live).experiment is not None)
    assert now(live).champion is before.champion
    assert now(live).catalogue is before.catalogue
    assert opened.reloads == 2, "opening the same again replaces nothing"


def test_answers_in_flight_are_finished(shop: Stocked, other: Bundle, live: Serving) -> None:
    app = ranking_app()
    app.state.serving = live

    async def ask_while_it_moves() -> set[str]:
        digests: set[str] = set()

        async def ask(client: httpx.AsyncClient) -> None:
            answered = await client.post("/v1/recommend", json={"user_id": "u1"})
            assert answered.status_code == 200
            digests.add(answered.json()["bundle"])

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            await ask(client)
            move_to(shop, other)
            while other.digest not in digests:
                await asyncio.gather(*(ask(client) for _ in range(5)))
        return digests

    assert asyncio.run(ask_while_it_moves()) == {shop.bundle.digest, other.digest}


def test_a_tampered_bundle_leaves_the_previous_one_live_until_it_is_mended(
    shop: Stocked, other: Bundle, live: Serving
) -> None:
    move_to(shop, other)
    whole = tamper(folder_of(shop, other))
    until(lambda: "champion" in now(live).trouble)
    assert serves(live, shop.bundle.digest)
    assert caller_of(live).recommend("u1")["fallback"] is None
    assert "the bundle was changed after it was sealed" in now(live).trouble["champion"]
    assert live.watcher.refused == 1
    assert "champion" in now(live).unverified
    (folder_of(shop, other) / "logit.ubj").write_bytes(whole)
    until(lambda: serves(live, other.digest))
    assert not now(live).trouble


@pytest.mark.parametrize("changes", [{"action": "rollback"}, {"bundle": 5}])
def test_a_pointer_whose_moves_were_never_made_leaves_the_last_one_live(
    shop: Stocked, live: Serving, changes: dict[str, Any]
) -> None:
    pointer = shop.home.environments / "local.json"
    document = json.loads(pointer.read_bytes())
    document["moves"][0] |= changes
    pointer.write_text(json.dumps(document))
    until(lambda: "champion" in now(live).trouble)
    assert "local.json: unreadable (move" in now(live).trouble["champion"]
    assert serves(live, shop.bundle.digest)


def test_a_sidecar_that_holds_no_verdict_leaves_the_last_one_live_and_is_stood_in_for(
    shop: Stocked, live: Serving
) -> None:
    judge(shop, shop.bundle, [1])
    until(lambda: "champion" in now(live).trouble)
    assert "verdict: found [1], expected an object" in now(live).trouble["champion"]
    assert serves(live, shop.bundle.digest)
    with serving(shop.home) as fresh:
        answer = caller_of(fresh).recommend("u1")
    assert (answer["fallback"], answer["bundle"]) == ("no_bundle", "baseline:popularity")


@pytest.mark.parametrize("name", ["nonsense", 5, ["popularity"], {}, None])
def test_a_champion_whose_best_baseline_is_unknown_is_served_beside_the_usual_best(shop: Stocked, name: object) -> None:
    judge(shop, shop.bundle, {"promote": True, "checks": [], "best_baseline": name})
    with serving(shop.home) as fresh:
        assert serves(fresh, shop.bundle.digest)
        assert now(fresh).arms["baseline"].bundle.digest == "baseline:buy_it_again"
        assert not now(fresh).trouble


@pytest.fixture
def older(shop: Stocked) -> Bundle:
    """A bundle of code that knew fewer baselines."""
    return published(shop.home, shop.home.root, random_trees(shop.features.revision, baseline_names=("popularity",)))


def test_a_bundle_of_code_that_knew_fewer_rules_is_served_beside_a_rule_of_this_code(
    shop: Stocked, older: Bundle
) -> None:
    move_to(shop, older)
    with serving(shop.home) as fresh:
        assert serves(fresh, older.digest)
        answer = caller_of(fresh).recommend("u1", arm="baseline")
    assert (answer["fallback"], answer["bundle"]) == (None, "baseline:popularity")
    assert answer["items"]


def test_a_rule_of_code_with_other_rules_and_features_is_served_as_before(shop: Stocked) -> None:
    names = ("popularity", "buy_it_again")
    rule = small_manifest(shop.features.revision, baseline_names=names, feature_list="of earlier code")
    nothing = np.zeros((4, 2), dtype=np.float32)
    warmup = Warmup(np.zeros((4, len(rule.feature_names)), dtype=np.float32), nothing, nothing[:, 1])
    earlier = published(shop.home, shop.home.root, replace(baseline_draft(), manifest=rule, warmup=warmup))
    move_to(shop, earlier)
    with serving(shop.home) as fresh:
        assert serves(fresh, earlier.digest)
        answer = caller_of(fresh).recommend("u1")
    assert answer["fallback"] is None
    assert answer["items"]


def test_a_bundle_of_other_baselines_is_known_well_enough_to_be_stood_in_for(shop: Stocked, older: Bundle) -> None:
    for bundle in (path for path in older.folder.parent.iterdir() if path.is_dir() and path != older.folder):
        shutil.rmtree(bundle)
    with serving(shop.home) as fresh:
        answer = caller_of(fresh).recommend("u1")
    assert (answer["fallback"], answer["bundle"]) == ("no_bundle", "baseline:popularity")


def test_a_bundle_made_for_other_features_is_stood_in_for(shop: Stocked) -> None:
    other_list = published(shop.home, shop.home.root, random_trees(shop.features.revision, feature_list="another"))
    move_to(shop, other_list)
    with serving(shop.home) as found:
        answer = caller_of(found).recommend("u1")
        assert "made for feature list another" in now(found).trouble["champion"]
    assert (answer["fallback"], answer["bundle"]) == ("no_bundle", "baseline:popularity")


@pytest.mark.parametrize("arm", ["champion", "challenger"])
def test_a_bundle_for_rows_that_nobody_wrote_is_stood_in_for(shop: Stocked, live: Serving, arm: str) -> None:
    other_revision = published(shop.home, shop.home.root, random_trees("no such revision"))
    if arm == "champion":
        move_to(shop, other_revision)
    until(lambda: arm in now(live).trouble)
    assert "found no rows of feature revision no such revision" in now(live).trouble[arm]
    assert serves(live, shop.bundle.digest)
    with serving(shop.home) as fresh:
        expected = "no_bundle" if arm == "champion" else None
        assert caller_of(fresh).recommend("u1")["fallback"] == expected


def test_a_challenger_whose_rows_are_not_whole_holds_up_no_champion(shop: Stocked) -> None:
    with open_client(shop.home, shop.features) as client:
        half = PackedClient(client.backend, project=PROJECT, revision="half", clock=lambda: shop.features.as_of)
        half.register(client.view("item_features"))
    published(shop.home, shop.home.root, random_trees("half"))
    with serving(shop.home) as fresh:
        assert serves(fresh, shop.bundle.digest)
        assert "materialize the features first" in now(fresh).trouble["challenger"]


def test_without_a_bundle_that_can_be_read_a_simple_rule_answers(shop: Stocked) -> None:
    for manifest in shop.home.models.rglob("manifest.json"):
        manifest.unlink()
        manifest.mkdir()
    with serving(shop.home) as fresh:
        answer = caller_of(fresh).recommend("u1")
        assert "champion" in now(fresh).trouble
    assert (answer["fallback"], answer["bundle"]) == ("no_bundle", "baseline:buy_it_again")
    assert answer["items"]


def test_item_rows_that_are_written_anew_are_seen_without_the_bundles_folder(shop: Stocked, live: Serving) -> None:
    before = now(live).champion
    shutil.rmtree(folder_of(shop, shop.bundle))
    put_online(shop.home, shop.features)
    until(lambda: now(live).champion is not before)
    after = now(live).champion
    assert after.pool is not before.pool
    assert after.pool.items.item_ids.tolist() == before.pool.items.item_ids.tolist()
    assert after.bundle.digest == shop.bundle.digest
    assert caller_of(live).recommend("u1")["fallback"] is None


def test_an_experiment_is_followed_and_a_broken_one_leaves_the_last(shop: Stocked, live: Serving) -> None:
    path = experiment_file(shop.home, "local")
    path.parent.mkdir()
    service = caller_of(live)

    def arms() -> set[Any]:
        return {service.recommend(f"user {number}")["arm"] for number in range(40)}

    assert arms() == {"champion"}
    path.write_text(TRYING.format(champion=0.5, baseline=0.5))
    until(lambda: arms() == {"champion", "baseline"})
    assert service.recommend("u1")["experiment"] == "x"
    path.write_text("name = ")
    until(lambda: "experiment" in now(live).trouble)
    assert arms() == {"champion", "baseline"}
    path.write_text(TRYING.format(champion=0.001, baseline=0.999))
    until(lambda: arms() == {"baseline"})
    path.unlink()
    until(lambda: arms() == {"champion"})
    assert not now(live).trouble


def test_what_is_published_last_is_the_challenger(shop: Stocked, live: Serving) -> None:
    service, tried = caller_of(live), published(shop.home, shop.home.root, random_trees(shop.features.revision, seed=9))
    until(lambda: service.recommend("u1", arm="challenger")["bundle"] == tried.digest)
    assert service.recommend("u1", arm="baseline")["bundle"] == "baseline:popularity"
    arms = service.ask("GET", "/v1/shop").json()["arms"]
    assert {arm["name"]: arm["bundle"] for arm in arms}["challenger"] == tried.digest


def test_what_the_gate_refused_is_tried_on_nobody_but_may_rank_unseen(shop: Stocked, live: Serving) -> None:
    refused = {"promote": False, "checks": [{"passed": False, "reason": "a leak"}]}
    tried = published(shop.home, shop.home.root, random_trees(shop.features.revision, seed=9))
    write_sidecar(tried.folder, replace(tried.sidecar, verdict=refused))
    path, service = experiment_file(shop.home, "local"), caller_of(live)
    path.parent.mkdir()

    def found() -> set[Any]:
        answers = [service.recommend(f"user {number}") for number in range(40)]
        return {(answer["bundle"], answer["arm"], answer["fallback"] == "arm_unavailable") for answer in answers}

    path.write_text('name = "x"\n[arms]\nchampion = { share = 0.5 }\nchallenger = { share = 0.5 }\n')
    champion = shop.bundle.digest
    until(lambda: found() == {(champion, "champion", False), (champion, "challenger", True)})
    assert "the gate refused it (a leak)" in now(live).trouble["challenger"]

    path.write_text('name = "x"\nshadow = "challenger"\n[arms]\nchampion = { share = 1.0 }\n')
    until(lambda: not now(live).trouble)
    assert found() == {(champion, "champion", False)}
    assert now(live).arms["challenger"].bundle.digest == tried.digest


@pytest.mark.parametrize(("part", "duty"), [(Sessions, "write"), (TombstoneAcknowledger, "follow")])
def test_nothing_that_goes_wrong_ends_the_following(
    shop: Stocked,
    other: Bundle,
    live: Serving,
    part: type,
    duty: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failed = threading.Event()

    def fail(*_: object) -> None:
        failed.set()
        raise ValueError("not thought of")

    monkeypatch.setattr(part, duty, fail)
    assert failed.wait(PATIENCE_SECONDS)
    move_to(shop, other)
    until(lambda: serves(live, other.digest))
    warnings = [record for record in caplog.records if "not thought of" in record.message]
    assert [bool(record.exc_info) for record in warnings] == [True], "it is logged once, with its place"


def test_a_service_that_was_stopped_leaves_nothing_running(shop: Stocked) -> None:
    before = set(threading.enumerate())
    with serving(shop.home) as found:
        caller_of(found).recommend("u1")
        assert set(threading.enumerate()) > before
    assert set(threading.enumerate()) <= before
    assert json.loads((shop.home.feedback / "clock.json").read_bytes())["as_of"]


def test_a_load_that_hangs_keeps_no_service_from_stopping(
    shop: Stocked, other: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "STOP_SECONDS", 0.05)
    begun, go_on = threading.Event(), threading.Event()

    def stand_still(*_: object) -> LiveState:
        begun.set()
        assert go_on.wait(PATIENCE_SECONDS)
        raise ConfigurationError("it is too late")

    with serving(shop.home) as found:
        before = found.live
        monkeypatch.setattr(LiveLoader, "load", stand_still)
        move_to(shop, other)
        assert begun.wait(PATIENCE_SECONDS)
    assert found.live is before
    go_on.set()
    until(lambda: all(thread.name != "live-watcher" for thread in threading.enumerate()))
