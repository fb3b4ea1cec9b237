"""Bundles as the manifests give them: signed by keys that Git names, and perhaps mounted as an image."""

import re
import shutil
from pathlib import Path

import pytest

from components.bundles.digest import NO_BUNDLE
from components.bundles.signing.keys import read_public_keys
from components.contracts.errors import ConfigurationError
from components.gitops.bundle_line import changed_files, rendered_folder, source_path
from pipelines.kubernetes import KEYS_FOLDER, SIGNING_FOLDER
from pipelines.registry.bundle_image import bundle_tag
from tests.manifests.overlays import MANIFESTS, rendered
from tests.manifests.overlays import overlay as overlay_of
from tests.manifests.test_service import named

PAGE = MANIFESTS.parent / "docs" / "gitops.md"
REPOSITORY = "registry.example.org:5000/shop/bundles"
COMPONENT = "../../components/canary"


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    """Copy the manifests, and do to production what the page says."""
    copy = shutil.copytree(MANIFESTS, tmp_path / "manifests", ignore=shutil.ignore_patterns("rendered"))
    volume = copy / "components/bundle-image/volume.yaml"
    volume.write_text(re.sub(r"registry\S+(?=:bundle-)", REPOSITORY, volume.read_text()))
    [example] = re.findall(r"```yaml\n(replacements:.*?)```", PAGE.read_text(), re.DOTALL)
    file = copy / "overlays/production/kustomization.yaml"
    text = file.read_text()
    assert COMPONENT in text
    file.write_text(text.replace(COMPONENT, f"{COMPONENT}\n- ../../components/bundle-image") + example)
    return file.parent


def test_a_promotion_names_the_image_of_its_bundle(overlay: Path) -> None:
    source = overlay / "bundle.yaml"
    before, digest = source.read_bytes(), f"sha256:{64 * 'a'}"
    path = f"{rendered_folder('production')}/rollout-rankloop.yaml"
    changed = changed_files("production", digest, before, {path: rendered(overlay).encode()})
    source.write_bytes(changed[source_path("production")])
    assert rendered(overlay) == changed[path].decode()
    pod = named(changed[path].decode(), "Rollout")["spec"]["template"]["spec"]
    [volume] = [one for one in pod["volumes"] if one["name"] == "models"]
    assert volume["image"]["reference"] == f"{REPOSITORY}:{bundle_tag(digest)}"
    [variable] = [one for one in pod["containers"][0]["env"] if one["name"] == "RANKLOOP_MODELS"]
    [mount] = [one for one in pod["containers"][0]["volumeMounts"] if one["name"] == "models"]
    assert variable["value"] == mount["mountPath"]
    assert NO_BUNDLE.encode() in before


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_an_environment_names_its_keys_and_accepts_no_bundle_before_one_is_there(environment: str) -> None:
    resources = overlay_of(environment)
    settings = named(resources, "ConfigMap")["data"]
    assert settings["RANKLOOP_VERIFY_KEYS"] == KEYS_FOLDER
    assert settings["RANKLOOP_SIGNING_KEY"] == f"{SIGNING_FOLDER}/signing.pem"
    assert named(resources, "ConfigMap", "rankloop-keys")["data"].keys() == {"signing.pub"}
    with pytest.raises(ConfigurationError, match=r"signing\.pub: found no public key in PEM"):
        read_public_keys([MANIFESTS / "components/signing"])
