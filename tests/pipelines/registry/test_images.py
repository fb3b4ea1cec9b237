"""Images of a real registry: signed in cosign's form, attested, and verified by keys alone."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from components.bundles.signing.keys import SigningKey, read_signing_key
from components.contracts.errors import ConfigurationError, RegistryError
from pipelines.cli import main
from pipelines.registry.attachments import Document, attach, read_attached
from pipelines.registry.attestations import KIND as ATTESTATIONS
from pipelines.registry.attestations import verify_attestation
from pipelines.registry.built_image import read_image
from pipelines.registry.client import Registry
from pipelines.registry.signatures import KIND as SIGNATURES
from pipelines.registry.signatures import SIGNATURE
from pipelines.registry.signing import sign_image
from pipelines.registry.verification import PACKAGES, PROVENANCE, verify_image
from tests.components.bundles.signing.signed_bundles import key_in
from tests.pipelines.registry.pushed_images import BASE, FILES, LABELS, LOCK, REVISION, push_attested_image, push_image
from tests.servers import docker_registry

pytestmark = pytest.mark.slow(seconds=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with docker_registry(folder) as address:
        yield address


@pytest.fixture
def registry(address: str, request: pytest.FixtureRequest) -> Registry:
    return Registry(f"{address}/shop/{request.node.name.lower()}", anonymous=True)


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return key_in(tmp_path / "keys")


def reasons(registry: Registry, digest: str, *keys: SigningKey) -> dict[str, str]:
    """Return why each check failed."""
    verified = verify_image(registry, digest, [key.public for key in keys])
    return {check.name: check.reason for check in verified.checks if not check.passed}


def signed(registry: Registry, key: SigningKey, labels: dict[str, str] | None = None) -> str:
    digest = push_image(registry, labels)
    assert sign_image(f"{registry.name}@{digest}", key)
    return digest


def test_a_signed_image_says_its_revision_its_lock_its_base_and_its_packages(
    registry: Registry, key: SigningKey
) -> None:
    digest = signed(registry, key)
    verified = verify_image(registry, digest, [key.public])
    assert verified.passed, verified
    text = " ".join(check.reason for check in verified.checks)
    assert f"made of code {REVISION[:12]}, uv.lock {LOCK[:12]}, base {BASE[:12]}; signed with the key" in text
    assert "1 packages (CycloneDX 1.6)" in text
    provenance, _ = verify_attestation(registry, digest, [key.public], PROVENANCE)
    assert [part["digest"] for part in provenance["buildDefinition"]["resolvedDependencies"]] == [
        {"gitCommit": REVISION},
        {"sha256": LOCK},
        {"sha256": BASE},
    ]
    packages, _ = verify_attestation(registry, digest, [key.public], PACKAGES)
    assert packages["components"] == [{"type": "library", "name": "numpy"}]


def test_openssl_verifies_a_signature_as_cosign_does(registry: Registry, key: SigningKey, tmp_path: Path) -> None:
    digest = signed(registry, key)
    (document,) = read_attached(registry, digest, SIGNATURES)
    critical = json.loads(document.content)["critical"]
    assert critical["image"]["docker-manifest-digest"] == digest
    assert critical["type"] == "cosign container image signature"
    (tmp_path / "payload").write_bytes(document.content)
    (tmp_path / "signature").write_bytes(base64.b64decode(document.annotations[SIGNATURE]))
    command = ["openssl", "dgst", "-sha256", "-verify", tmp_path / "keys/key.pub", "-signature", tmp_path / "signature"]
    subprocess.run([*command, tmp_path / "payload"], check=True, capture_output=True)


def test_an_image_that_nobody_signed_fails_in_each_point(registry: Registry, key: SigningKey) -> None:
    digest = push_image(registry)
    missing = reasons(registry, digest, key)
    assert missing.keys() == {"signature", "provenance", "packages"}
    assert "found 0 signatures, none of this digest by a key that is trusted here" in missing["signature"]
    assert "found no statement https://slsa.dev/provenance/v1 on it" in missing["provenance"]


def test_what_another_key_signed_is_not_accepted(registry: Registry, key: SigningKey, tmp_path: Path) -> None:
    other = key_in(tmp_path / "other")
    digest = signed(registry, other)
    assert reasons(registry, digest, key).keys() == {"signature", "provenance", "packages"}


def test_keys_are_replaced_one_after_the_other(registry: Registry, key: SigningKey, tmp_path: Path) -> None:
    newer = key_in(tmp_path / "newer")
    digest = signed(registry, key)
    assert sign_image(f"{registry.name}@{digest}", newer)
    for each in (key, newer):
        assert not reasons(registry, digest, each)
        assert not sign_image(f"{registry.name}@{digest}", each), "it is signed already"
    assert len(read_attached(registry, digest, SIGNATURES)) == 2
    assert len(read_attached(registry, digest, ATTESTATIONS)) == 4


def test_documents_of_another_image_are_not_accepted(registry: Registry, key: SigningKey) -> None:
    signed_one = signed(registry, key)
    other = push_image(registry, LABELS | {"another": "label"})
    for kind in (SIGNATURES, ATTESTATIONS):
        attach(registry, other, kind, read_attached(registry, signed_one, kind))
    assert reasons(registry, other, key).keys() == {"signature", "provenance", "packages"}


def test_one_flipped_byte_is_refused(registry: Registry, key: SigningKey) -> None:
    digest = signed(registry, key)
    for kind in (SIGNATURES, ATTESTATIONS):
        documents = read_attached(registry, digest, kind)
        middle = len(documents[0].content) // 2
        for each in documents:
            changed = each.content[:middle] + bytes([each.content[middle] ^ 1]) + each.content[middle + 1 :]
            others = [other for other in documents if other is not each]
            attach(registry, digest, kind, [*others, Document(each.media_type, changed, each.annotations)])
            assert reasons(registry, digest, key)
        attach(registry, digest, kind, documents)
    assert not reasons(registry, digest, key)


def test_what_buildkit_attests_is_signed_with_the_image_and_named(registry: Registry, key: SigningKey) -> None:
    digest = push_attested_image(registry, "https://spdx.dev/Document")
    assert sign_image(f"{registry.name}@{digest}", key)
    (provenance,) = (c for c in verify_image(registry, digest, [key.public]).checks if c.name == "provenance")
    assert provenance.passed
    assert provenance.reason.endswith("; BuildKit attests https://spdx.dev/Document")


def test_an_image_of_unknown_origin_is_not_signed(registry: Registry, key: SigningKey, tmp_path: Path) -> None:
    base = "org.opencontainers.image.base.name"
    for labels, error in (
        (LABELS | {base: "python:3.11-slim"}, "found the base 'python:3.11-slim', expected one with its digest: name"),
        ({base: LABELS[base]}, "names no Git revision; build it by `make images`"),
    ):
        digest = push_image(registry, labels)
        with pytest.raises(ConfigurationError, match=error):
            sign_image(f"{registry.name}@{digest}", key)
    digest = push_image(registry, files={"opt/other": b"x"})
    with pytest.raises(RegistryError, match=r"found no opt/rankloop/sbom\.cdx\.json and .* in it"):
        sign_image(f"{registry.name}@{digest}", key)
    file = tmp_path / "large.pem"
    make = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", file]
    subprocess.run(make, check=True, capture_output=True)
    file.chmod(0o600)
    with pytest.raises(ConfigurationError, match="found a key on the curve secp384r1, expected one on P-256"):
        sign_image(f"{registry.name}@{push_image(registry)}", read_signing_key(file))
    with pytest.raises(RegistryError, match="the registry has no such image; push it again"):
        sign_image(f"{registry.name}@sha256:{64 * '1'}", key)


def test_a_layer_that_is_not_what_its_digest_names_is_not_signed(
    registry: Registry, key: SigningKey, folder: Path
) -> None:
    digest = push_image(registry, files=FILES | {"opt/alone": b"in its layer"})
    layer = read_image(registry, digest).layers[1].removeprefix("sha256:")
    file = folder / f"images/docker/registry/v2/blobs/sha256/{layer[:2]}/{layer}/data"
    file.write_bytes(file.read_bytes() + b"more")
    with pytest.raises(RegistryError, match=f"found a blob with digest sha256:.*, expected sha256:{layer}"):
        sign_image(f"{registry.name}@{digest}", key)


def test_a_registry_with_users_takes_the_login_of_docker(
    key: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users, configuration = tmp_path / "users", tmp_path / "config.json"
    users.write_text(f"robot:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with docker_registry(tmp_path, users) as address:
        registry = Registry(f"{address}/shop/steps")
        with pytest.raises(RegistryError, match="asks for credentials; `docker login` keeps them"):
            push_image(registry)
        configuration.write_text(json.dumps({"auths": {address: {"auth": base64.b64encode(b"robot:secret").decode()}}}))
        assert not reasons(registry, signed(registry, key), key)
        configuration.write_text(json.dumps({"credsStore": "tests"}))
        program = tmp_path / "docker-credential-tests"
        program.write_text('#!/bin/sh\necho \'{"Username": "robot", "Secret": "secret"}\'\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        assert Registry(registry.name).manifest("none") is None


def test_the_images_of_the_manifests_are_signed_and_verified_by_command(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(command: str, *options: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["rankloop", command, *options])
        with pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        return int(ended.value.code or 0), output.out + output.err

    key_in(tmp_path / "keys", "signing")
    image = f"{registry.name}@{push_image(registry)}"
    (tmp_path / "images.toml").write_text(f'[images]\nsteps = "{image}"\n')
    rendered = tmp_path / "rendered/production/rollout.yaml"
    rendered.parent.mkdir(parents=True)
    rendered.write_text(f"image: {image}\n---\nimage: docker.io/redis@sha256:{64 * '2'}\n")
    monkeypatch.setenv("RANKLOOP_IMAGES", str(tmp_path / "images.toml"))
    monkeypatch.setenv("RANKLOOP_VERIFY_KEYS", str(tmp_path / "keys"))
    code, output = run("verify-images", "--manifests", str(tmp_path))
    assert (code, output.count("✗")) == (1, 3)
    assert run("sign-images") == (2, "rankloop: found no key to sign with; name its file in RANKLOOP_SIGNING_KEY\n")
    monkeypatch.setenv("RANKLOOP_SIGNING_KEY", str(tmp_path / "keys/signing.pem"))
    assert f"{image}: signed with the key" in run("sign-images")[1]
    assert f"{image}: is signed already with the key" in run("sign-images")[1]
    code, output = run("verify-images", "--manifests", str(tmp_path))
    assert (code, output.count("✓")) == (0, 3)
    assert f"docker.io/redis@sha256:{64 * '2'}\n  not built here\n" in output
    key_in(tmp_path / "expired", "signing")
    monkeypatch.setenv("RANKLOOP_SIGNING_KEY", str(tmp_path / "expired/signing.pem"))
    code, output = run("sign-images")
    assert code == 2
    assert "is none of those in RANKLOOP_VERIFY_KEYS, so nobody would accept what it signs" in output
    rendered.write_text(f"image: {image.replace('@', ':v1@')}\n---\nimage: redis:7\n")
    code, output = run("verify-images", "--manifests", str(tmp_path))
    assert (code, output.count("✓")) == (1, 3)
    assert "redis:7\n  ✗ not built here, and without a digest\n" in output
    rendered.write_text(f"image: {registry.name}:v1\n")
    assert "✗ image: is named without a digest" in run("verify-images", "--manifests", str(tmp_path))[1]
    rendered.write_text("image: registry.example.org/another/steps@sha256:1\n")
    code, output = run("verify-images", "--manifests", str(tmp_path))
    assert code == 2
    assert "found no image of" in output
    rendered.write_text(f"image: {registry.name}@sha256:{64 * '0'}\n")
    assert "✗ image: has not been pushed: its digest is zeros" in run("verify-images", "--manifests", str(tmp_path))[1]
