"""``model.sig``: a signature of a bundle's files in the format OpenSSF Model Signing v1.0.

It is a Sigstore bundle around a DSSE envelope around an in-toto statement, whose predicate lists the SHA-256 of each
file. ``python -m model_signing verify key`` verifies it too.
https://github.com/sigstore/model-transparency/blob/v1.1.1/src/model_signing/_signing/signing.py
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from components.bundles.manifest import DOCUMENTS
from components.bundles.signing.envelope import Envelope, signed, statement, subject_digest, verified
from components.bundles.signing.keys import PublicKey, SigningKey
from components.contracts.errors import UnverifiedBundleError
from components.contracts.json_documents import closed, parse_json
from components.home.storage.objects import LISTING

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
HASH = "sha256"
UNSIGNED = sorted((*DOCUMENTS, "model.yaml", LISTING))  # beside the files under the digest


@closed
@dataclass(frozen=True)
class PublicKeyHint:
    """The name of the key."""

    hint: str


@closed
@dataclass(frozen=True)
class Material:
    """The material for a verifier: which key. Key mode has no transparency log."""

    public_key: Annotated[PublicKeyHint, Field(alias="publicKey")]
    entries: Annotated[tuple[Any, ...], Field(alias="tlogEntries", max_length=0)] = ()


@closed
@dataclass(frozen=True)
class SigstoreBundle:
    """A signature with what it takes to verify it."""

    media_type: Annotated[Literal["application/vnd.dev.sigstore.bundle.v0.3+json"], Field(alias="mediaType")]
    material: Annotated[Material, Field(alias="verificationMaterial")]
    envelope: Annotated[Envelope, Field(alias="dsseEnvelope")]


@dataclass(frozen=True)
class Resource:
    """A file and its digest."""

    name: str
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    algorithm: Literal["sha256"]


@dataclass(frozen=True)
class FileList:
    """The predicate's fields that are read."""

    resources: tuple[Resource, ...]


def signature_bytes(key: SigningKey, name: str, files: Mapping[str, str]) -> bytes:
    """Return the signature of a bundle's files, given the SHA-256 of each by its name."""
    names = sorted(files)
    resources = [{"name": file, "algorithm": HASH, "digest": files[file]} for file in names]
    serialization = {"method": "files", "hash_type": HASH, "allow_symlinks": False, "ignore_paths": UNSIGNED}
    predicate = {"serialization": serialization, "resources": resources}
    words = statement(name, _root(files[file] for file in names), PREDICATE_TYPE, predicate)
    document = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": key.public.id}, "tlogEntries": []},
        "dsseEnvelope": signed(key, words, key_id=""),
    }
    return json.dumps(document).encode()


def check_signature(content: bytes, files: Mapping[str, str], keys: Sequence[PublicKey]) -> PublicKey:
    """Check that a signature is of exactly these files, and return the key that it was made with.

    Raises:
        UnverifiedBundleError: it is not, or was made with another key; the message goes on after the name of the file.
    """
    try:
        document = parse_json(SigstoreBundle, content)
    except ValueError as error:
        raise UnverifiedBundleError(f"is no signature of a model in Sigstore's form ({error})") from error
    words, key = verified(document.envelope, document.material.public_key.hint, keys, PREDICATE_TYPE)
    try:
        resources = parse_json(FileList, json.dumps(dict(words.predicate))).resources
    except ValueError as error:
        raise UnverifiedBundleError(f"is signed, and lists no files with their SHA-256 ({error})") from error
    listed = {each.name: each.digest for each in resources}
    if subject_digest(words) != _root(each.digest for each in resources):
        raise UnverifiedBundleError("is signed, and the digest that it names is not that of the files that it lists")
    different = sorted(name for name in listed.keys() | files.keys() if listed.get(name) != files.get(name))
    if different:
        raise UnverifiedBundleError(f"was made for other content of {', '.join(different)}")
    return key


def _root(digests: Iterable[str]) -> str:
    """Return the digest that a signature names its model by."""
    return hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()
