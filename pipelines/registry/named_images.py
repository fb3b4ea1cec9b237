"""Which images the manifests name: the rendered ones of each environment, and the compiled pipelines."""

import re
from collections.abc import Iterator
from pathlib import Path

from components.contracts.images import read_images_file

NAMED = re.compile(r"[\w.-]+(?::\d+)?(?:/[\w.-]+)+@sha256:[0-9a-f]{64}")
FOLDERS = ("rendered", "base/pipelines")


def keys_of(manifests: Path) -> Path:
    """Return the folder of the public keys that clusters verify with."""
    return manifests / "components" / "signing"


def named_images(manifests: Path) -> list[str]:
    """Return the images that manifests name by their digest, sorted."""
    return sorted({name for folder in FOLDERS for name in _named_below(manifests / folder)})


def built_here(images: list[str], file: Path) -> list[str]:
    """Return those of the images that are built from this repository, by the file of images."""
    repositories = {name.partition("@")[0] for name in read_images_file(file)["images"].values()}
    return [name for name in images if name.partition("@")[0] in repositories]


def _named_below(folder: Path) -> Iterator[str]:
    for file in sorted(folder.rglob("*.yaml")):
        yield from NAMED.findall(file.read_text())
