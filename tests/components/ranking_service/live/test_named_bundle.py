"""A service that is told its bundle serves that one, whatever the home's pointer says, or says that it is not ready."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from components.bundles.digest import NO_BUNDLE
from components.bundles.loading import Bundle
from components.bundles.sidecar import write_sidecar
from components.home.shop_note import ShopNote, write_shop_note
from components.ranking_service.live import watcher
from components.ranking_service.live.serving import Serving
from tests.components.ranking_service.served_shop import Stocked, caller_of, published, random_trees, serving
from tests.waiting import until


@pytest.fixture
def home_of_two(shop: Stocked, tmp_path: Path) -> tuple[Stocked, Bundle]:
    """Give a home that has promoted nothing, and a second bundle in it."""
    home = replace(shop.home, root=tmp_path / "home")
    home.root.mkdir()
    write_shop_note(home, ShopNote("small", "small.toml"))
    (home.root / "online_url").write_text(shop.home.online_url)
    other = published(home, tmp_path / "other", random_trees(shop.features.revision, seed=6))
    return replace(shop, home=home), other


def readiness(live: Serving) -> tuple[int, str]:
    answer = caller_of(live).ask("GET", "/readyz")
    return answer.status_code, answer.text if answer.status_code == 200 else answer.json()["detail"]


def test_the_named_bundle_is_served_and_the_pointer_is_not_looked_at(home_of_two: tuple[Stocked, Bundle]) -> None:
    shop, other = home_of_two
    shop.home.environments.mkdir()
    (shop.home.environments / "local.json").write_text("{")
    with serving(shop.home, bundle=other.digest) as live:
        assert readiness(live) == (200, "ready")
        answer = caller_of(live).recommend("u1")
    assert (answer["bundle"], answer["fallback"]) == (other.digest, None)


@pytest.mark.parametrize(
    ("digest", "reason"),
    [(NO_BUNDLE, "nothing was promoted in Git yet"), (f"sha256:{'1' * 64}", "found 0 bundles for")],
)
def test_without_its_bundle_a_service_answers_but_is_not_ready(
    home_of_two: tuple[Stocked, Bundle], digest: str, reason: str
) -> None:
    shop, _ = home_of_two
    with serving(shop.home, bundle=digest) as live:
        status, detail = readiness(live)
        answer = caller_of(live).recommend("u1")
    assert status == 503
    assert detail.startswith("the bundle that RANKLOOP_BUNDLE names is not open: ")
    assert reason in detail
    assert answer["fallback"] == "no_bundle"


def test_a_refused_bundle_is_served_once_the_gate_lets_it_through(
    home_of_two: tuple[Stocked, Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "RETRY_SECONDS", 0.1)
    shop, other = home_of_two
    refused = json.loads(json.dumps(other.sidecar.verdict)) | {"promote": False}
    write_sidecar(other.folder, replace(other.sidecar, verdict=refused))
    with serving(shop.home, bundle=other.digest) as live:
        status, detail = readiness(live)
        assert (status, "the gate refused it" in detail) == (503, True)
        write_sidecar(other.folder, other.sidecar)
        until(lambda: readiness(live) == (200, "ready"))
