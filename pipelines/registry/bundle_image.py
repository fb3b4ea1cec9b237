"""A bundle as an image of one layer, for clusters that mount images as volumes.

The layer holds the bundle as a model store holds it (``RANKLOOP_MODELS`` names the mounted folder), with one time and
one owner, so that equal files give an equal digest. Layer and configuration have the media types of images, since
containerd unpacks no others; the annotations are ModelPack's.
https://github.com/modelpack/model-spec/blob/main/docs/annotations.md
"""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from components.bundles.digest import PREFIX, short
from components.bundles.loading import Bundle
from components.bundles.manifest import DOCUMENTS, SIDECAR
from components.bundles.store import LATEST, bundle_name, model_name
from pipelines.registry.client import CONFIG, LAYER, MANIFEST, Registry, descriptor, digest_of

TAG = "bundle-"
FOLDER = "models"
FILE_PATH = "org.cncf.model.filepath"
TITLE, VERSION = "org.opencontainers.image.title", "org.opencontainers.image.version"


def bundle_tag(digest: str) -> str:
    """Return the tag of a bundle's image, by the bundle's digest."""
    return f"{TAG}{digest.removeprefix(PREFIX)}"


def push_bundle(registry: Registry, bundle: Bundle) -> str:
    """Push an opened bundle, with its signature and provenance, and return the digest of its image.

    Raises:
        RegistryError: the registry cannot be reached or refuses.
    """
    layer = _layer(bundle)
    contents = {"type": "layers", "diff_ids": [digest_of(layer)]}
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": contents}).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, config),
        "layers": [descriptor(LAYER, layer, {FILE_PATH: FOLDER})],
        "annotations": {TITLE: bundle_name(bundle), VERSION: bundle.digest},
    }
    for content in (config, layer):
        registry.push_blob(content)
    return registry.push_manifest(json.dumps(manifest).encode(), bundle_tag(bundle.digest))


def _layer(bundle: Bundle) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for member, content in _members(bundle):
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def _members(bundle: Bundle) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Yield folders and files as a model store has them, in order; a member's time and owner are zero."""
    store = PurePosixPath(FOLDER, model_name(bundle.manifest.shop))
    files = {store / short(bundle.digest) / name: content for name, content in _files(bundle).items()}
    files[store / LATEST] = short(bundle.digest).encode()
    folders = {parent for file in files for parent in file.parents if parent.name}
    for path in sorted([*folders, *files]):
        member = tarfile.TarInfo(str(path))
        member.type, member.mode = (tarfile.DIRTYPE, 0o755) if path in folders else (tarfile.REGTYPE, 0o644)
        yield member, files.get(path, b"")


def _files(bundle: Bundle) -> dict[str, bytes]:
    beside = {name: bundle.folder / name for name in DOCUMENTS if name != SIDECAR}
    documents = {name: file.read_bytes() for name, file in beside.items() if file.exists()}
    return {**bundle.content, SIDECAR: bundle.sidecar_content, **documents}
