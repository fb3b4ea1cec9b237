"""Which images the manifests name: the rendered ones of each environment, and the compiled pipelines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from components.contracts.images import read_images_file

FOLDERS = ("rendered", "base/pipelines")


def keys_of(manifests: Path) -> Path:
    """Return the folder of the public keys that clusters verify with."""
    return manifests / "components" / "signing"


def named_images(manifests: Path) -> list[str]:
    """Return the images of all containers, by whatever tag or digest the manifests name them, sorted."""
    files = [file for folder in FOLDERS for file in sorted((manifests / folder).rglob("*.yaml"))]
    documents = (document for file in files for document in yaml.load_all(file.read_text(), yaml.CSafeLoader))
    return sorted({image for document in documents for image in _images_in(document)})


def built_here(images: list[str], file: Path) -> list[str]:
    """Return those of the images that are built from this repository, by the file of images."""
    repositories = {repository_of(name) for name in read_images_file(file)["images"].values()}
    return [name for name in images if repository_of(name) in repositories]


def repository_of(image: str) -> str:
    """Return an image's name without its tag and its digest."""
    name = image.partition("@")[0]
    host, slash, path = name.rpartition("/")
    return f"{host}{slash}{path.partition(':')[0]}"


def _images_in(value: Any) -> Iterator[str]:
    """Yield what the keys ``image`` below a value hold."""
    if isinstance(value, dict):
        for name, below in value.items():
            if name == "image" and isinstance(below, str):
                yield below
            else:
                yield from _images_in(below)
    elif isinstance(value, list):
        for below in value:
            yield from _images_in(below)
