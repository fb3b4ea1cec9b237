"""``provenance.intoto.jsonl``: what a bundle was made of, as signed in-toto statements, one a line.

The subject is the bundle by its digest, the predicate SLSA's provenance v1 (https://slsa.dev/spec/v1.0/provenance). It
also names the digest of the sidecar, which holds the verdict. A bundle that is published again gets a line for its new
sidecar beside that of the old one, so that a kill between the two writes leaves a sidecar that is attested.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from components.bundles.digest import PREFIX
from components.bundles.manifest import SIDECAR
from components.bundles.sidecar import Sidecar
from components.bundles.signing.envelope import Envelope, signed, statement, subject_digest, verified
from components.bundles.signing.keys import PublicKey, SigningKey
from components.bundles.signing.origin import LOCK, Origin
from components.contracts.errors import UnverifiedBundleError
from components.contracts.json_documents import parse_json

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:rankloop:training:v1"


@dataclass(frozen=True)
class Provenance:
    """What a signed statement says, and the key that it is signed with."""

    sidecar: str | None  # the SHA-256 of the one that the statement goes with
    text: str
    key: PublicKey

    def __str__(self) -> str:
        return self.text


def provenance_line(key: SigningKey, name: str, sidecar: Sidecar, content: bytes, origin: Origin) -> bytes:
    """Return a signed statement on a bundle and on its sidecar, of which ``content`` are the bytes."""
    words = statement(name, sidecar.digest.removeprefix(PREFIX), PREDICATE_TYPE, _predicate(sidecar, content, origin))
    return json.dumps(signed(key, words, key.public.id)).encode() + b"\n"


def check_provenance(lines: bytes, digest: str, sidecar: bytes, keys: Sequence[PublicKey]) -> Provenance:
    """Check that a statement is about this bundle and this sidecar, and return it.

    Raises:
        UnverifiedBundleError: none is, or another key signed it; the message goes on after the name of the file.
    """
    errors = [UnverifiedBundleError("is empty, expected a signed statement")]
    for line in lines.splitlines():
        try:
            provenance = _verified(line, digest, keys)
        except UnverifiedBundleError as error:
            errors.append(error)
            continue
        if provenance.sidecar == _sha256(sidecar):
            return provenance
        errors.append(UnverifiedBundleError(f"was made for another {SIDECAR}: that was changed after it was signed"))
    raise errors[-1]


def line_about(lines: bytes, sidecar: bytes) -> bytes:
    """Return the line that names a sidecar's digest, signed by any key, with its line end; empty if there is none."""
    wanted = _sha256(sidecar)
    return next((line + b"\n" for line in lines.splitlines() if _claimed_sidecar(line) == wanted), b"")


def _claimed_sidecar(line: bytes) -> str | None:
    try:
        return _sidecar_of(json.loads(parse_json(Envelope, line).payload)["predicate"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _sidecar_of(predicate: Mapping[str, Any]) -> str | None:
    products = predicate.get("runDetails", {}).get("byproducts", [])
    return next((each["digest"]["sha256"] for each in products if each["name"] == SIDECAR), None)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _verified(line: bytes, digest: str, keys: Sequence[PublicKey]) -> Provenance:
    try:
        envelope = parse_json(Envelope, line)
    except ValueError as error:
        raise UnverifiedBundleError(f"holds what is no signed statement ({error})") from error
    key_id = envelope.signatures[0].keyid if envelope.signatures else ""
    words, key = verified(envelope, key_id, keys, PREDICATE_TYPE)
    if subject_digest(words) != digest.removeprefix(PREFIX):
        raise UnverifiedBundleError(f"is about the bundle {PREFIX}{subject_digest(words)}, expected {digest}")
    try:
        return Provenance(_sidecar_of(words.predicate), _origin_in_words(words.predicate), key)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise UnverifiedBundleError(
            f"is signed, and holds no provenance of the form that is written here ({type(error).__name__}: {error})"
        ) from error


def _predicate(sidecar: Sidecar, content: bytes, origin: Origin) -> dict[str, Any]:
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {"as_of": sidecar.as_of},
            "internalParameters": {"code": sidecar.code_revision, "train_end": sidecar.train_end},
            "resolvedDependencies": [*_tables(sidecar), *_code(origin)],
        },
        "runDetails": {
            "builder": {"id": origin.builder, "version": {"rankloop": version("rankloop")}},
            "metadata": {"invocationId": sidecar.run_id, "finishedOn": sidecar.published_at},
            "byproducts": [{"name": SIDECAR, "digest": {"sha256": _sha256(content)}}],
        },
    }


def _tables(sidecar: Sidecar) -> list[dict[str, Any]]:
    return [
        {"name": f"table {name}", "uri": f"lake/clean/{name}", "annotations": {"version": number}}
        for name, number in sorted(sidecar.versions.items())
    ]


def _code(origin: Origin) -> list[dict[str, Any]]:
    parts = []
    if origin.commit:
        annotations = {"annotations": {"modified": True}} if origin.is_modified else {}
        parts.append({"name": "code", "digest": {"gitCommit": origin.commit}} | annotations)
    if origin.lock:
        parts.append({"name": LOCK, "digest": {"sha256": origin.lock}})
    if origin.image:
        name, _, digest = origin.image.partition("@sha256:")
        parts.append({"name": "image", "uri": f"docker://{name}", "digest": {"sha256": digest}})
    return parts


def _origin_in_words(predicate: Mapping[str, Any]) -> str:
    definition, details = predicate["buildDefinition"], predicate["runDetails"]
    parts = ", ".join(map(_in_words, definition["resolvedDependencies"])) or "nothing that is known"
    return f"run {details['metadata']['invocationId']} made it of {parts}"


def _in_words(part: Mapping[str, Any]) -> str:
    annotations = part.get("annotations", {})
    if "version" in annotations:
        return f"{part['name']} at version {annotations['version']}"
    (digest,) = part["digest"].values()
    return f"{part['name']} {digest[:12]}{' with changes' if annotations.get('modified') else ''}"
