"""The bundle's name: a hash over exactly the files that decide its answers."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from components.bundles.manifest import MANIFEST, SKETCHES, WARMUP, Manifest, manifest_content, parse_manifest
from components.contracts.errors import UnverifiedBundleError

PREFIX = "sha256:"
FULL = re.compile(PREFIX + "[0-9a-f]{64}")
NO_BUNDLE = PREFIX + "0" * 64
"""Stands in Git where nothing was promoted yet."""
SHORT = 16
"""Hex digits of the digest in a model store's version."""


def sealed_files(manifest: Manifest) -> list[str]:
    """Return names of the files under the digest, in order."""
    return sorted([MANIFEST, SKETCHES, WARMUP, *(part.file for part in manifest.blend)])


def folder_digest(folder: Path) -> str:
    """Return the ``sha256:`` digest of a bundle's folder; the sidecar and the model store's own files stay outside.

    Raises:
        UnverifiedBundleError: a file that the manifest names is missing.
    """
    return digest_of(file_digests(folder))


def digest_of(files: Mapping[str, str]) -> str:
    """Return the ``sha256:`` digest of a bundle by the SHA-256 of each file under it."""
    lines = "".join(f"{name}\n{files[name]}\n" for name in sorted(files))
    return PREFIX + hashlib.sha256(lines.encode()).hexdigest()


def file_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file under the digest of a bundle, by name.

    Raises:
        UnverifiedBundleError: a file that the manifest names is missing.
    """
    return digests_of(sealed_content(folder))


def digests_of(content: Mapping[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of each file, by name."""
    return {name: hashlib.sha256(file).hexdigest() for name, file in content.items()}


def sealed_content(folder: Path) -> dict[str, bytes]:
    """Read each file under the digest of a bundle, once, by name.

    Raises:
        UnverifiedBundleError: a file that the manifest names is missing.
    """
    manifest = manifest_content(folder)
    names = sealed_files(parse_manifest(manifest, folder))
    return {name: manifest if name == MANIFEST else _content(folder, name) for name in names}


def _content(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise UnverifiedBundleError(
            f"{folder}: found no {name}, which its manifest names; `rankloop run` puts the bundle back"
        ) from error
    except OSError as error:
        raise UnverifiedBundleError(
            f"{folder / name}: cannot be read ({error.strerror}); `rankloop run` puts the bundle back"
        ) from error


def short(digest: str) -> str:
    """Return the first hex digits of a digest, as people and model stores name it."""
    return digest.removeprefix(PREFIX)[:SHORT]


def is_full_digest(text: str) -> bool:
    """Return whether a text is a whole digest, which names one bundle for ever."""
    return FULL.fullmatch(text) is not None
