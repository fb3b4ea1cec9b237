"""What is signed is what was published: by the format's own library too, and no byte of it may change."""

import base64
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from components.bundles.digest import file_digests
from components.bundles.loading import Bundle
from components.bundles.manifest import DOCUMENTS, PROVENANCE, SIDECAR, SIGNATURE
from components.bundles.signing.envelope import signed, statement
from components.bundles.signing.keys import SigningKey
from components.bundles.signing.model_signature import UNSIGNED
from components.bundles.signing.provenance import PREDICATE_TYPE
from components.bundles.signing.signer import Signer
from components.bundles.signing.verification import verify_provenance, verify_published, verify_signature
from components.bundles.store import publish_folder
from components.contracts.errors import ConfigurationError, UnverifiedBundleError
from components.home.storage.locations import BucketPath
from tests.components.bundles.drafts import ranker_draft, written
from tests.components.bundles.signing.signed_bundles import ORIGIN, key_in, signed_bundle


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return key_in(tmp_path / "keys")


@pytest.fixture
def bundle(tmp_path: Path, key: SigningKey) -> Bundle:
    return signed_bundle(tmp_path / "models", tmp_path, key)


def model_signing(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "model_signing", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def verified_by_library(bundle: Bundle, key: SigningKey) -> subprocess.CompletedProcess[str]:
    public = Path(key.public.place).with_suffix(".pub")
    return model_signing(
        "verify", "key", bundle.folder, "--public_key", public, "--signature", bundle.folder / SIGNATURE
    )


def flipped(file: Path, position: int) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)


def failed(bundle: Bundle, key: SigningKey) -> dict[str, str]:
    """Verify a published bundle, and return the reasons of the checks that failed."""
    models = bundle.folder.parents[2]
    checks = verify_published(models, "corner", bundle.digest, [key.public]).checks
    return {check.name: check.reason for check in checks if not check.passed}


def test_the_formats_own_library_verifies_what_is_signed_here(bundle: Bundle, key: SigningKey) -> None:
    done = verified_by_library(bundle, key)
    assert done.returncode == 0, done.stderr


def test_what_the_library_signs_is_verified_here(bundle: Bundle, key: SigningKey) -> None:
    signature = bundle.folder / SIGNATURE
    signature.unlink()
    ignored = [word for name in UNSIGNED for word in ("--ignore-paths", bundle.folder / name)]
    done = model_signing(
        "sign", "key", bundle.folder, "--private_key", key.public.place, "--signature", signature, *ignored
    )
    assert done.returncode == 0, done.stderr
    assert verify_signature(bundle.folder, [key.public]).id == key.public.id
    flipped(bundle.folder / "rank.ubj", 100)
    with pytest.raises(UnverifiedBundleError, match=r"was made for other content of rank\.ubj"):
        verify_signature(bundle.folder, [key.public])


def test_a_signed_bundle_has_the_digest_of_an_unsigned_one(tmp_path: Path, bundle: Bundle) -> None:
    assert bundle.digest == signed_bundle(tmp_path / "others", tmp_path, None).digest
    assert {path.name for path in bundle.folder.iterdir()} == {*file_digests(bundle.folder), *DOCUMENTS, "model.yaml"}


def test_the_provenance_is_an_in_toto_statement_on_the_bundle(bundle: Bundle, key: SigningKey) -> None:
    [line] = (bundle.folder / PROVENANCE).read_bytes().splitlines()
    envelope = json.loads(line)
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["subject"][0]["digest"] == {"sha256": bundle.digest.removeprefix("sha256:")}
    parts = {part["name"]: part for part in statement["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert parts["table events"]["annotations"] == {"version": 3}
    assert parts["code"]["digest"] == {"gitCommit": 40 * "c"}
    assert parts["uv.lock"]["digest"] == {"sha256": 64 * "d"}
    assert parts["image"] == {
        "name": "image",
        "uri": "docker://registry.example/rankloop",
        "digest": {"sha256": 64 * "e"},
    }
    assert statement["predicate"]["runDetails"]["metadata"]["invocationId"] == "run-7"
    words = str(verify_provenance(bundle.folder, bundle.digest, [key.public]))
    assert words == (
        "run run-7 made it of table events at version 3, code cccccccccccc, uv.lock dddddddddddd, image eeeeeeeeeeee"
    )


@pytest.mark.parametrize("name", ["manifest.json", "rank.ubj", "logit.ubj", "sketches.json", "warmup.npz"])
def test_a_flipped_byte_of_the_content_fails(bundle: Bundle, key: SigningKey, name: str) -> None:
    assert failed(bundle, key) == {}
    flipped(bundle.folder / name, (bundle.folder / name).stat().st_size // 2)
    reasons = failed(bundle, key)
    assert {"signature", "content"} <= set(reasons)
    assert name in reasons["signature"]


def test_a_flipped_byte_anywhere_in_the_signature_fails(bundle: Bundle, key: SigningKey) -> None:
    file = bundle.folder / SIGNATURE
    content = file.read_bytes()
    for position in range(0, len(content), 37):
        flipped(file, position)
        with pytest.raises(UnverifiedBundleError, match=r"model\.sig"):
            verify_signature(bundle.folder, [key.public])
        file.write_bytes(content)


def test_a_flipped_byte_anywhere_in_the_provenance_or_its_sidecar_fails(bundle: Bundle, key: SigningKey) -> None:
    for name, step in ((PROVENANCE, 41), (SIDECAR, 61)):
        file = bundle.folder / name
        content = file.read_bytes()
        for position in range(0, len(content) - 1, step):
            flipped(file, position)
            with pytest.raises(UnverifiedBundleError, match=r"provenance\.intoto\.jsonl"):
                verify_provenance(bundle.folder, bundle.digest, [key.public])
            file.write_bytes(content)


def test_a_verdict_that_was_changed_is_noticed(bundle: Bundle, key: SigningKey) -> None:
    sidecar = bundle.folder / SIDECAR
    sidecar.write_text(sidecar.read_text().replace('"promote": true', '"promote": false'))
    assert set(failed(bundle, key)) == {"provenance"}


@pytest.mark.parametrize(
    "predicate",
    [
        {},
        {"runDetails": {"byproducts": [{"digest": {"sha256": 64 * "0"}}]}},
        {"runDetails": {"byproducts": [SIDECAR]}},
        {"runDetails": {"byproducts": 1}},
        {"runDetails": []},
        {"buildDefinition": {"resolvedDependencies": [{"name": "code", "digest": {}}]}, "runDetails": {}},
    ],
)
def test_a_signed_statement_of_another_shape_is_refused(
    bundle: Bundle, key: SigningKey, predicate: dict[str, object]
) -> None:
    words = statement("a bundle", bundle.digest.removeprefix("sha256:"), PREDICATE_TYPE, predicate)
    (bundle.folder / PROVENANCE).write_text(json.dumps(signed(key, words, key.public.id)))
    reasons = failed(bundle, key)
    assert set(reasons) == {"provenance"}
    assert "is signed, and holds no provenance of the form that is written here" in reasons["provenance"]


def test_documents_of_another_bundle_are_refused(tmp_path: Path, bundle: Bundle, key: SigningKey) -> None:
    other = signed_bundle(tmp_path / "models", tmp_path, key, k=5)
    for name in (SIGNATURE, PROVENANCE):
        (bundle.folder / name).write_bytes((other.folder / name).read_bytes())
    reasons = failed(bundle, key)
    assert "was made for other content of manifest.json" in reasons["signature"]
    assert f"is about the bundle {other.digest}" in reasons["provenance"]


def test_a_whole_bundle_in_the_place_of_another_is_refused(tmp_path: Path, bundle: Bundle, key: SigningKey) -> None:
    other = signed_bundle(tmp_path / "models", tmp_path, key, k=5)
    for path in other.folder.iterdir():
        (bundle.folder / path.name).write_bytes(path.read_bytes())
    for reference in (bundle.digest, bundle.digest[7:20]):
        checks = verify_published(tmp_path / "models", "corner", reference, [key.public]).checks
        assert {check.name for check in checks if not check.passed} == {"provenance", "content"}


def test_a_foreign_key_is_named(tmp_path: Path, bundle: Bundle, key: SigningKey) -> None:
    other = key_in(tmp_path / "keys", "other")
    reasons = failed(bundle, other)
    assert set(reasons) == {"signature", "provenance"}
    assert f"is signed with the key {key.public.id[:16]}, which is not trusted here" in reasons["signature"]
    assert f"trusted are: {other.public.id[:16]}" in reasons["signature"]


def test_an_unsigned_bundle_says_what_is_missing(tmp_path: Path, key: SigningKey) -> None:
    reasons = failed(signed_bundle(tmp_path / "models", tmp_path, None), key)
    assert "model.sig: is missing, so nobody says who made the bundle" in reasons["signature"]


def test_publishing_again_keeps_the_signature_and_attests_the_old_sidecar_until_it_is_replaced(
    bundle: Bundle, tmp_path: Path, key: SigningKey
) -> None:
    provenance = bundle.folder / PROVENANCE
    provenance.write_bytes(provenance.read_bytes().rstrip())  # as an editor or a download may leave it
    before = {name: (bundle.folder / name).read_bytes() for name in DOCUMENTS}
    again = signed_bundle(tmp_path / "models", tmp_path, key, "run-8")
    assert again.sidecar.run_id == "run-8"
    assert (again.folder / SIGNATURE).read_bytes() == before[SIGNATURE]
    assert failed(again, key) == {}
    (again.folder / SIDECAR).write_bytes(before[SIDECAR])  # as a kill before the last write leaves it
    assert failed(again, key) == {}
    signed_bundle(tmp_path / "models", tmp_path, key, "run-9")
    lines = (again.folder / PROVENANCE).read_bytes().splitlines()
    assert [
        json.loads(base64.b64decode(json.loads(line)["payload"]))["predicate"]["runDetails"]["metadata"]["invocationId"]
        for line in lines
    ] == ["run-7", "run-9"]


def test_a_bundle_that_is_published_again_while_it_is_read_is_verified(
    bundle: Bundle, tmp_path: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Publish between the reader's two looks: the provenance that it then reads goes with both sidecars."""
    read, looks = Path.read_bytes, []

    def read_then_publish(file: Path) -> bytes:
        content = read(file)
        if file.parent == bundle.folder and file.name in (SIDECAR, PROVENANCE):
            looks.append(file.name)
            if len(looks) == 1:
                monkeypatch.undo()
                signed_bundle(tmp_path / "models", tmp_path, key, "run-8")
        return content

    monkeypatch.setattr(Path, "read_bytes", read_then_publish)
    assert "run run-7 made it" in str(verify_provenance(bundle.folder, bundle.digest, [key.public]))
    assert looks == [SIDECAR]
    assert "run run-8 made it" in str(verify_provenance(bundle.folder, bundle.digest, [key.public]))


def test_publishing_again_signs_with_the_new_key(bundle: Bundle, tmp_path: Path, key: SigningKey) -> None:
    new = key_in(tmp_path / "keys", "new")
    again = signed_bundle(tmp_path / "models", tmp_path, new, "run-8")
    assert failed(again, new) == {}
    assert set(failed(again, key)) == {"signature", "provenance"}


def test_a_signed_bundle_is_not_published_again_without_a_key(bundle: Bundle, tmp_path: Path) -> None:
    draft = written(tmp_path)
    with pytest.raises(ConfigurationError, match="is published and signed, and this run has no key"):
        publish_folder(tmp_path / "models", draft, replace(draft.sidecar, run_id="run-8"))


def test_a_bucket_holds_signature_and_provenance_too(tmp_path: Path, bucket: BucketPath) -> None:
    key = key_in(tmp_path / "keys")
    draft = written(tmp_path, ranker_draft())
    for run_id in ("run-1", "run-2"):
        sealed = publish_folder(bucket, draft, replace(draft.sidecar, run_id=run_id), Signer(key, ORIGIN))
        assert verify_published(bucket, "corner", "latest", [key.public]).passed
    checks = verify_published(bucket, "corner", sealed.digest, [key_in(tmp_path, "other").public]).checks
    assert [check.passed for check in checks] == [False, False, True]
