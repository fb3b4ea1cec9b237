"""The bundle's name: a hash over exactly the files that decide its answers."""

import hashlib
import re
from pathlib import Path

from components.bundles.manifest import MANIFEST, SKETCHES, WARMUP, Manifest, read_manifest
from components.contracts.errors import BundleError

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
        BundleError: a file that the manifest names is missing.
    """
    total = hashlib.sha256()
    for name in sealed_files(read_manifest(folder)):
        try:
            content = (folder / name).read_bytes()
        except FileNotFoundError as error:
            raise BundleError(
                f"{folder}: found no {name}, which its manifest names; `rankloop run` puts the bundle back"
            ) from error
        except OSError as error:
            raise BundleError(
                f"{folder / name}: cannot be read ({error.strerror}); `rankloop run` puts the bundle back"
            ) from error
        total.update(f"{name}\n{hashlib.sha256(content).hexdigest()}\n".encode())
    return PREFIX + total.hexdigest()


def short(digest: str) -> str:
    """Return the first hex digits of a digest, as people and model stores name it."""
    return digest.removeprefix(PREFIX)[:SHORT]


def is_full_digest(text: str) -> bool:
    """Return whether a text is a whole digest, which names one bundle for ever."""
    return FULL.fullmatch(text) is not None
