"""DSSE: a signed in-toto statement. https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from components.bundles.signing.keys import PublicKey, SigningKey, shown
from components.contracts.errors import UnverifiedBundleError
from components.contracts.json_documents import closed, parse_json

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"


def _decoded(text: object) -> bytes:
    """Decode base64 in its one canonical form, so that no other text stands for the same bytes."""
    content = base64.b64decode(str(text), validate=True)
    if base64.b64encode(content).decode() != text:
        raise ValueError("base64")
    return content


Base64 = Annotated[bytes, BeforeValidator(_decoded)]


@closed
@dataclass(frozen=True)
class Signature:
    """One signature of an envelope; ``keyid`` may be empty."""

    sig: Base64
    keyid: str = ""


@closed
@dataclass(frozen=True)
class Envelope:
    """A payload and its signatures."""

    payload: Base64
    payload_type: Annotated[str, Field(alias="payloadType")]
    signatures: tuple[Signature, ...]


@dataclass(frozen=True)
class Subject:
    """A thing that a statement is about."""

    name: str
    digest: Mapping[str, str]


@dataclass(frozen=True)
class Statement:
    """The fields of an in-toto statement that are read."""

    subject: tuple[Subject, ...]
    predicate_type: Annotated[str, Field(alias="predicateType")]
    predicate: Mapping[str, Any]
    type: Annotated[str, Field(alias="_type")]


def signed(key: SigningKey, statement: Mapping[str, Any], key_id: str) -> dict[str, Any]:
    """Return the document of an envelope around a statement."""
    payload = json.dumps(statement, indent=1).encode()
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"sig": base64.b64encode(key.sign(_encoded(payload))).decode(), "keyid": key_id}],
    }


def statement(subject: str, sha256: str, predicate_type: str, predicate: Mapping[str, Any]) -> dict[str, Any]:
    """Return an in-toto statement on one thing, named by its SHA-256."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": subject, "digest": {"sha256": sha256}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }


def verified(
    envelope: Envelope, key_id: str, keys: Sequence[PublicKey], predicate_type: str
) -> tuple[Statement, PublicKey]:
    """Return the statement in an envelope, and the key that has signed it; ``key_id`` says which, if not empty.

    Raises:
        UnverifiedBundleError: none of them has, or it holds no such statement.
    """
    candidates = [key for key in keys if key_id in ("", key.id)]
    if not candidates:
        known = ", ".join(map(str, keys)) or "none"
        raise UnverifiedBundleError(
            f"is signed with the key {shown(key_id)}, which is not trusted here, or no longer; trusted are: {known}"
        )
    signers = [key for key in candidates if _has_signed(key, envelope)]
    if not signers:
        raise UnverifiedBundleError("does not fit its signature: it was changed after it was signed")
    return _statement(envelope.payload, predicate_type), signers[0]


def subject_digest(statement: Statement) -> str | None:
    """Return the SHA-256 of the one thing that a statement is about; None if it is about none or several."""
    digests = [subject.digest.get("sha256") for subject in statement.subject]
    return digests[0] if len(digests) == 1 else None


def _statement(payload: bytes, predicate_type: str) -> Statement:
    try:
        document = parse_json(Statement, payload)
    except ValueError as error:
        raise UnverifiedBundleError(f"is signed, and holds no in-toto statement ({error})") from error
    if (document.type, document.predicate_type) != (STATEMENT_TYPE, predicate_type):
        raise UnverifiedBundleError(
            f"is signed, and says {document.predicate_type} in a {document.type}, expected {predicate_type}"
        )
    return document


def _has_signed(key: PublicKey, envelope: Envelope) -> bool:
    if envelope.payload_type != PAYLOAD_TYPE:
        return False
    return any(key.has_signed(_encoded(envelope.payload), each.sig) for each in envelope.signatures)


def _encoded(payload: bytes) -> bytes:
    """Return what is signed: DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
