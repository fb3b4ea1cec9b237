"""A bundle that is mounted as an image: verified and served as one of the home, which needs none."""

import io
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from components.bundles.loading import Bundle
from components.bundles.signing.keys import SigningKey
from components.bundles.signing.signer import Signer
from components.bundles.store import publish_folder
from components.ranking_service.settings import ServiceSettings, SigningSettings
from pipelines.registry.bundle_image import bundle_tag, push_bundle
from pipelines.registry.client import Registry
from tests.components.bundles.signing.signed_bundles import ORIGIN, key_in
from tests.components.ranking_service.served_shop import Stocked, caller_of, serving
from tests.servers import docker_registry

pytestmark = pytest.mark.slow(seconds=4)


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return key_in(tmp_path / "keys")


@pytest.fixture
def shop(stocked_shop: Stocked, tmp_path: Path) -> Stocked:
    """A copy of the home, without any bundle."""
    home = replace(stocked_shop.home, root=tmp_path / "home")
    shutil.copytree(stocked_shop.home.root, home.root, ignore=shutil.ignore_patterns("feedback", "models"))
    return replace(stocked_shop, home=home)


@pytest.fixture
def mounted(stocked_shop: Stocked, key: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """Push a signed bundle, and mount its image read-only, as a node does."""
    bundle = publish_folder(tmp_path / "models", stocked_shop.bundle, stocked_shop.bundle.sidecar, Signer(key, ORIGIN))
    (tmp_path / "registry").mkdir()
    with docker_registry(tmp_path / "registry") as address:
        registry = Registry(f"{address}/bundles")
        push_bundle(registry, bundle)
        manifest = registry.manifest(bundle_tag(bundle.digest))
        assert manifest is not None
        layer = registry.blob(manifest.document["layers"][0]["digest"])
    volume = tmp_path / "volume"
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        archive.extractall(volume, filter="data")
    monkeypatch.setenv("RANKLOOP_MODELS", str(volume))
    return replace(bundle, folder=next(volume.glob("models/*/*/")))


def settings(shop: Stocked, bundle: Bundle, tmp_path: Path) -> ServiceSettings:
    signing = SigningSettings((tmp_path / "keys",))
    return ServiceSettings(shop.home, "production", bundle=bundle.digest, signing=signing)


def test_a_service_serves_what_is_mounted(shop: Stocked, mounted: Bundle, tmp_path: Path) -> None:
    with serving(shop.home, settings(shop, mounted, tmp_path)) as live:
        answer = caller_of(live).recommend("u1")
        assert (live.unready, answer["bundle"], answer.get("fallback")) == (None, mounted.digest, None)


def test_a_mounted_bundle_is_verified_before_it_is_loaded(shop: Stocked, mounted: Bundle, tmp_path: Path) -> None:
    file = mounted.folder / "logit.ubj"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with serving(shop.home, settings(shop, mounted, tmp_path)) as live:
        assert "changed after it was sealed" in str(live.unready)
        assert caller_of(live).recommend("u1")["fallback"] == "no_bundle"
