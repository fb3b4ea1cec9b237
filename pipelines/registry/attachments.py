"""What is attached to an image: a manifest beside it, tagged with the image's digest, whose layers are documents.

cosign and the policy controllers of clusters look for these tags:
https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md#storage
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from components.contracts.errors import RegistryError
from pipelines.registry.client import CONFIG, MANIFEST, Registry, descriptor, digest_of


@dataclass(frozen=True)
class Document:
    """One document that is attached to an image."""

    media_type: str
    content: bytes
    annotations: Mapping[str, str] = field(default_factory=dict)


def read_attached(registry: Registry, digest: str, kind: str) -> tuple[Document, ...]:
    """Return the documents of a kind (``sig`` or ``att``) that are attached to an image.

    Raises:
        RegistryError: the registry cannot be reached or refuses, or holds something else there.
    """
    manifest = registry.manifest(_tag(digest, kind))
    if manifest is None:
        return ()
    try:
        layers = [
            (layer["mediaType"], layer["digest"], layer.get("annotations") or {})
            for layer in manifest.document["layers"]
        ]
    except (LookupError, TypeError, ValueError) as error:
        raise RegistryError(f"{registry.name}:{_tag(digest, kind)}: holds no documents ({error})") from error
    return tuple(Document(media_type, registry.blob(blob), annotations) for media_type, blob, annotations in layers)


def attach(registry: Registry, digest: str, kind: str, documents: Sequence[Document]) -> None:
    """Attach documents of a kind to an image, in place of those that were.

    Raises:
        RegistryError: the registry cannot be reached or refuses.
    """
    config = json.dumps({"architecture": "", "os": "", "config": {}, "rootfs": _contents(documents)}).encode()
    for content in (config, *(document.content for document in documents)):
        registry.push_blob(content)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, config),
        "layers": list(_layers(documents)),
    }
    registry.push_manifest(json.dumps(manifest).encode(), _tag(digest, kind))


def _layers(documents: Sequence[Document]) -> Iterator[dict[str, object]]:
    for document in documents:
        yield descriptor(document.media_type, document.content, document.annotations)


def _contents(documents: Sequence[Document]) -> dict[str, object]:
    return {"type": "layers", "diff_ids": [digest_of(document.content) for document in documents]}


def _tag(digest: str, kind: str) -> str:
    return f"{digest.replace(':', '-')}.{kind}"
