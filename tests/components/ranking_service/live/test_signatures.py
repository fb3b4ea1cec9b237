"""The service verifies a bundle before it loads it; what it does not accept changes nothing."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from components.bundles.loading import Bundle
from components.bundles.manifest import PROVENANCE, SIGNATURE
from components.bundles.promotion import promote
from components.bundles.signing.keys import SigningKey
from components.bundles.signing.signer import Signer
from components.bundles.store import publish_folder
from components.contracts import metrics
from components.ranking_service.live import watcher
from components.ranking_service.live.readings import READINGS
from components.ranking_service.live.serving import Serving
from components.ranking_service.settings import ServiceSettings, SigningSettings
from tests.components.bundles.signing.signed_bundles import ORIGIN, key_in
from tests.components.ranking_service.served_shop import (
    PROMOTED_AT,
    Stocked,
    caller_of,
    published,
    random_trees,
    serving,
)
from tests.waiting import until

ENVIRONMENT = "production"


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return key_in(tmp_path / "keys")


@pytest.fixture
def shop(stocked_shop: Stocked, tmp_path: Path, key: SigningKey) -> Stocked:
    """A copy of the home, whose bundle is signed and promoted to production."""
    home = replace(stocked_shop.home, root=tmp_path / "home")
    shutil.copytree(stocked_shop.home.root, home.root, ignore=shutil.ignore_patterns("feedback"))
    signed = publish_folder(home.models, stocked_shop.bundle, stocked_shop.bundle.sidecar, Signer(key, ORIGIN))
    promote(home, "small", signed.digest, ENVIRONMENT, PROMOTED_AT)
    return replace(stocked_shop, home=home, bundle=signed)


@pytest.fixture
def unsigned(shop: Stocked, tmp_path: Path) -> Bundle:
    """Another bundle, that nobody has signed."""
    return published(shop.home, tmp_path, random_trees(shop.features.revision, seed=6))


def production(shop: Stocked, tmp_path: Path) -> ServiceSettings:
    """Serve production, with the keys of a folder."""
    return ServiceSettings(shop.home, ENVIRONMENT, signing=SigningSettings((tmp_path / "keys",)))


@pytest.fixture
def live(shop: Stocked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    monkeypatch.setattr(watcher, "RETRY_SECONDS", 0.2)
    with serving(shop.home, production(shop, tmp_path)) as service:
        yield service


def look_again(shop: Stocked) -> None:
    """Have the service look at what it serves, though nothing is promoted."""
    pointer = shop.home.environments / f"{ENVIRONMENT}.json"
    pointer.write_bytes(pointer.read_bytes() + b"\n")


def trouble_of(service: Serving) -> str:
    return "" if service.live is None else service.live.trouble.get("champion", "")


def unverified(service: Serving) -> float:
    readings = READINGS[metrics.BUNDLE_UNVERIFIED](service)
    assert isinstance(readings, dict)
    return readings["champion",]


def bundle_served(service: Serving) -> str:
    return str(caller_of(service).recommend("u1")["bundle"])


def test_an_unsigned_bundle_leaves_the_signed_one_live_until_it_is_signed(
    shop: Stocked, unsigned: Bundle, key: SigningKey, live: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    assert (bundle_served(live), unverified(live)) == (shop.bundle.digest, 0)
    promote(shop.home, "small", unsigned.digest, ENVIRONMENT, PROMOTED_AT)
    until(lambda: "model.sig: is missing" in trouble_of(live))
    assert (bundle_served(live), unverified(live), live.watcher.refused) == (shop.bundle.digest, 1, 1)
    assert caplog.text.count("model.sig: is missing") == 1
    publish_folder(shop.home.models, unsigned, unsigned.sidecar, Signer(key, ORIGIN))
    until(lambda: bundle_served(live) == unsigned.digest)
    assert unverified(live) == 0


def test_a_bundle_of_another_key_is_served_once_that_key_is_added(
    shop: Stocked, unsigned: Bundle, tmp_path: Path, live: Serving
) -> None:
    other = key_in(tmp_path / "elsewhere", "new")
    publish_folder(shop.home.models, unsigned, unsigned.sidecar, Signer(other, ORIGIN))
    promote(shop.home, "small", unsigned.digest, ENVIRONMENT, PROMOTED_AT)
    until(lambda: f"is signed with the key {other.public.id[:16]}, which is not trusted" in trouble_of(live))
    assert bundle_served(live) == shop.bundle.digest
    shutil.copy(tmp_path / "elsewhere" / "new.pub", tmp_path / "keys")
    until(lambda: bundle_served(live) == unsigned.digest)


@pytest.mark.parametrize("name", ["sidecar.json", SIGNATURE, PROVENANCE, "logit.ubj"])
def test_a_flipped_byte_changes_nothing_that_is_served(shop: Stocked, live: Serving, name: str) -> None:
    file = shop.bundle.folder / name
    content = file.read_bytes()
    middle = len(content) // 2
    file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    look_again(shop)
    until(lambda: bool(trouble_of(live)))
    assert (bundle_served(live), unverified(live)) == (shop.bundle.digest, 1)


def test_a_start_with_a_bundle_that_is_not_accepted_answers_by_a_rule(shop: Stocked, tmp_path: Path) -> None:
    (shop.bundle.folder / SIGNATURE).unlink()
    with serving(shop.home, production(shop, tmp_path)) as live:
        answer = caller_of(live).recommend("u1")
        assert (answer["fallback"], unverified(live)) == ("no_bundle", 1)
        assert answer["items"]
