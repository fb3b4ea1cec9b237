"""Statements on an image, each in a signed envelope: `cosign verify-attestation --key` reads them.

https://github.com/sigstore/cosign/blob/main/specs/ATTESTATION_SPEC.md
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from components.bundles.signing.envelope import Envelope, signed, statement, subject_digest, verified
from components.bundles.signing.keys import PublicKey, SigningKey
from components.contracts.errors import UnverifiedBundleError
from components.contracts.json_documents import parse_json
from pipelines.registry.attachments import Document, attach, read_attached
from pipelines.registry.client import Registry

KIND = "att"
MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json"
PREDICATE_TYPE = "predicateType"
ANNOTATIONS = {"dev.cosignproject.cosign/signature": ""}  # which is in the envelope; cosign wants the annotation


def attest(registry: Registry, digest: str, key: SigningKey, predicates: Mapping[str, Mapping[str, Any]]) -> None:
    """Attach signed statements to an image, one a predicate by its type, keeping those of other keys.

    Raises:
        RegistryError: the registry cannot be reached or refuses.
    """
    documents = read_attached(registry, digest, KIND)
    kept = [each for each in documents if not any(_reads(each, digest, [key.public], name) for name in predicates)]
    added = [
        _document(key, statement(registry.name, digest.removeprefix("sha256:"), name, predicate))
        for name, predicate in predicates.items()
    ]
    attach(registry, digest, KIND, [*kept, *added])


def verify_attestation(
    registry: Registry, digest: str, keys: Sequence[PublicKey], predicate_type: str
) -> tuple[Mapping[str, Any], PublicKey]:
    """Return what one of the keys has signed of an image, by the predicate's type, and the key.

    Raises:
        UnverifiedBundleError: none has.
        RegistryError: the registry cannot be reached or refuses.
    """
    for document in read_attached(registry, digest, KIND):
        if read := _reads(document, digest, keys, predicate_type):
            return read
    raise UnverifiedBundleError(
        f"found no statement {predicate_type} on it by a key that is trusted here; `rankloop sign-images` makes it"
    )


def _document(key: SigningKey, words: Mapping[str, Any]) -> Document:
    content = json.dumps(signed(key, words, key_id="")).encode()
    return Document(MEDIA_TYPE, content, ANNOTATIONS | {PREDICATE_TYPE: words["predicateType"]})


def _reads(
    document: Document, digest: str, keys: Sequence[PublicKey], predicate_type: str
) -> tuple[Mapping[str, Any], PublicKey] | None:
    try:
        words, key = verified(parse_json(Envelope, document.content), "", keys, predicate_type)
    except (UnverifiedBundleError, ValueError):
        return None
    return (words.predicate, key) if subject_digest(words) == digest.removeprefix("sha256:") else None
