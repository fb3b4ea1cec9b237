"""What an image was made of, as it says itself: labels, and two files that its build has put into it."""

import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import IO, Any, cast

from components.bundles.signing.origin import LOCK
from components.contracts.errors import RegistryError
from pipelines.registry.client import DOCKER_INDEX, INDEX, Manifest, Registry

REVISION, BASE = "org.opencontainers.image.revision", "org.opencontainers.image.base.name"
PACKAGES_FILE, LOCK_FILE = "opt/rankloop/sbom.cdx.json", f"opt/rankloop/{LOCK}.sha256"  # components/Dockerfile
BUILDKIT_KIND, BUILDKIT_STATEMENT = "vnd.docker.reference.type", "in-toto.io/predicate-type"
ATTESTATION = "attestation-manifest"


@dataclass(frozen=True)
class BuiltImage:
    """An image of one type of processor; ``statements`` are the types of what BuildKit has attested of its build."""

    digest: str
    labels: Mapping[str, str]
    layers: tuple[str, ...]
    statements: tuple[str, ...] = ()

    @property
    def revision(self) -> str:
        """Return the Git revision that it was built of."""
        return self.labels.get(REVISION, "")

    @property
    def base(self) -> tuple[str, str]:
        """Return the name of its base and the base's digest; empty if it was not named by one."""
        name, _, digest = self.labels.get(BASE, "").partition("@")
        return name, digest


def read_image(registry: Registry, digest: str) -> BuiltImage:
    """Read what a registry says of an image, or of the one that an index of BuildKit's names.

    Raises:
        RegistryError: the registry cannot be reached, refuses, has no such image, or one for several processors.
    """
    manifest = _manifest(registry, digest)
    statements: tuple[str, ...] = ()
    if manifest.document.get("mediaType") in (INDEX, DOCKER_INDEX):
        entries = manifest.document["manifests"]
        images = [each["digest"] for each in entries if not _is_attestation(each)]
        if len(images) != 1:
            raise RegistryError(f"{registry.name}@{digest}: found {len(images)} images in it, expected one")
        beside = (_manifest(registry, each["digest"]) for each in entries if _is_attestation(each))
        statements = tuple(sorted(name for each in beside for name in _statements(each)))
        manifest = _manifest(registry, images[0])
    config = json.loads(registry.blob(manifest.document["config"]["digest"]))
    labels = config.get("config", {}).get("Labels") or {}
    layers = tuple(layer["digest"] for layer in manifest.document["layers"])
    return BuiltImage(manifest.digest, labels, layers, statements)


def read_contents(registry: Registry, image: BuiltImage) -> tuple[dict[str, Any], str]:
    """Return an image's list of packages (CycloneDX), and the SHA-256 of the lock that they were installed from.

    Its layers are read from the last one until both are found.

    Raises:
        RegistryError: it holds no such files, or its layers are in a form that cannot be read.
    """
    files: dict[str, bytes] = {}
    for layer in reversed(image.layers):
        files = dict(_files_of(registry, layer)) | files
        if len(files) == 2:
            return json.loads(files[PACKAGES_FILE]), files[LOCK_FILE].split()[0].decode()
    raise RegistryError(
        f"{registry.name}@{image.digest}: found no {PACKAGES_FILE} and {LOCK_FILE} in it, expected an image of"
        " components/Dockerfile; build it again"
    )


def _files_of(registry: Registry, layer: str) -> Iterator[tuple[str, bytes]]:
    try:
        with closing(registry.stream(layer)) as stream:
            with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|*") as archive:
                for member in archive:
                    name = member.name.removeprefix("./").removeprefix("/")
                    content = archive.extractfile(member) if name in (PACKAGES_FILE, LOCK_FILE) else None
                    if content is not None:
                        yield name, content.read()
            stream.finish()
    except (tarfile.TarError, OSError) as error:
        raise RegistryError(
            f"{registry.name}: cannot read the layer {layer} ({error}); push the image with layers in gzip"
        ) from error


def _manifest(registry: Registry, digest: str) -> Manifest:
    manifest = registry.manifest(digest)
    if manifest is None:
        raise RegistryError(f"{registry.name}@{digest}: the registry has no such image; push it again")
    return manifest


def _is_attestation(entry: Mapping[str, Any]) -> bool:
    return (entry.get("annotations") or {}).get(BUILDKIT_KIND) == ATTESTATION


def _statements(manifest: Manifest) -> list[str]:
    annotations = (layer.get("annotations") or {} for layer in manifest.document["layers"])
    return [each[BUILDKIT_STATEMENT] for each in annotations if BUILDKIT_STATEMENT in each]
