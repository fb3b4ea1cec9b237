"""Small images such as `make images` pushes."""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

from pipelines.registry.client import CONFIG, INDEX, LAYER, MANIFEST, Registry, descriptor

REVISION, LOCK, BASE = 40 * "a", 64 * "b", 64 * "c"
LABELS = {
    "org.opencontainers.image.revision": REVISION,
    "org.opencontainers.image.base.name": f"python@sha256:{BASE}",
}
PACKAGES = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "library", "name": "numpy"}]}
FILES = {
    "opt/rankloop/sbom.cdx.json": json.dumps(PACKAGES).encode(),
    "opt/rankloop/uv.lock.sha256": f"{LOCK} uv.lock\n".encode(),
}


def push_image(
    registry: Registry, labels: Mapping[str, str] | None = None, files: Mapping[str, bytes] | None = None
) -> str:
    """Push an image of three layers: a base, the packages, and the code; return its digest."""
    layers = [_layer({"bin/python": b"base"}), _layer(FILES if files is None else files), _layer({"opt/code": b"code"})]
    config = json.dumps({"config": {"Labels": dict(LABELS if labels is None else labels)}}).encode()
    for content in (config, *layers):
        registry.push_blob(content)
    return registry.push_manifest(
        _manifest(descriptor(CONFIG, config), [descriptor(f"{LAYER}+gzip", each) for each in layers])
    )


def push_attested_image(registry: Registry, statement: str) -> str:
    """Push an image in an index, beside what BuildKit has attested of it."""
    image = registry.manifest(push_image(registry))
    assert image is not None
    registry.push_blob(b"{}")
    layer = descriptor("application/vnd.in-toto+json", b"{}", {"in-toto.io/predicate-type": statement})
    attestation = _manifest(descriptor(CONFIG, b"{}"), [layer])
    registry.push_manifest(attestation)
    beside = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image.digest}
    manifests = [descriptor(MANIFEST, image.content), descriptor(MANIFEST, attestation, beside)]
    return registry.push_manifest(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode())


def _manifest(config: Mapping[str, Any], layers: list[dict[str, Any]]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}).encode()


def _layer(files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(target.getvalue(), mtime=0)
