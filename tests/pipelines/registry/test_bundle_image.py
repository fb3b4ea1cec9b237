"""A bundle as an image: the same bundle is the same image, which is signed as any other."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from components.bundles.signing.home_key import bundle_signer
from components.home.layout import Home
from components.home.shop_note import ShopNote, write_shop_note
from pipelines.cli import main
from pipelines.registry.bundle_image import bundle_tag, push_bundle
from pipelines.registry.client import Registry
from pipelines.registry.signatures import verify_signature
from tests.components.bundles.signing.signed_bundles import key_in, signed_bundle
from tests.servers import docker_registry

pytestmark = pytest.mark.slow(seconds=5)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


def test_the_same_bundle_is_the_same_image_from_any_home(address: str, tmp_path: Path) -> None:
    key, registry = key_in(tmp_path / "keys"), Registry(f"{address}/shop/same")
    one = signed_bundle(tmp_path / "one", tmp_path / "scratch", key)
    shutil.copytree(tmp_path / "one", tmp_path / "two", copy_function=shutil.copyfile)
    other = replace(one, folder=tmp_path / "two" / one.folder.relative_to(tmp_path / "one"))
    digest = push_bundle(registry, one)
    assert push_bundle(registry, other) == digest
    manifest = registry.manifest(bundle_tag(one.digest))
    assert manifest is not None
    assert manifest.digest == digest
    document = manifest.document
    assert document["annotations"]["org.opencontainers.image.version"] == one.digest
    assert document["layers"][0]["annotations"] == {"org.cncf.model.filepath": "models"}
    config = json.loads(registry.blob(document["config"]["digest"]))
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in document["layers"]]


def test_a_bundle_that_the_environment_accepts_is_pushed_and_signed(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home, repository = Home(tmp_path / "home"), f"{address}/shop/bundles"
    write_shop_note(home, ShopNote("corner", "shop.toml"))
    signer = bundle_signer(home, "corner", {})
    assert signer is not None
    bundle = signed_bundle(home.models, tmp_path / "scratch", signer.key)
    unsigned = signed_bundle(home.models, tmp_path / "scratch", None, k=5)

    def push(digest: str) -> tuple[int, str]:
        words = ["push-bundle", digest, repository, "--env", "production", "--home", str(home.root)]
        monkeypatch.setattr("sys.argv", ["rankloop", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        return int(ended.value.code or 0), output.out + output.err

    code, output = push(bundle.digest)
    tag, image = output.splitlines()
    assert (code, tag) == (0, f"{repository}:bundle-{bundle.digest.removeprefix('sha256:')}")
    assert verify_signature(Registry(repository), image.partition("@")[2], [signer.key.public])
    assert push(bundle.digest) == (code, output)
    code, output = push(unsigned.digest)
    assert code == 1
    assert "model.sig: is missing" in output
    assert Registry(repository).manifest(bundle_tag(unsigned.digest)) is None
