"""The images that steps run in, each named by an immutable digest: in ``components/images.toml`` or another file."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from components.contracts.errors import ConfigurationError

IMAGES_FILE = Path(__file__).parents[1] / "images.toml"
IMAGES_VARIABLE = "RANKLOOP_IMAGES"  # a file of that form in its place, such as of a registry of one's own
TABLES = ("images", "nodes")
DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}$")
NOT_PUSHED = "sha256:" + 64 * "0"


def image(target: str) -> str:
    """Return the image of a Dockerfile target (``steps``, ``monitoring`` or ``serving``).

    Raises:
        ConfigurationError: the file cannot be read, does not name the target, or names it without a digest.
    """
    return read_image(images_file(), target)


def images_file() -> Path:
    """Return the file that names the images: that of RANKLOOP_IMAGES, else the committed one."""
    return Path(os.environ.get(IMAGES_VARIABLE) or IMAGES_FILE)


def read_image(file: Path, target: str) -> str:
    """Read a target's image from an images file."""
    images = read_images_file(file)["images"]
    if target not in images:
        raise ConfigurationError(f"{file.name}: no image is called {target!r}; it names {', '.join(sorted(images))}")
    if not DIGEST.match(images[target]):
        raise ConfigurationError(
            f"{file.name}: {target} is {images[target]!r}, expected NAME@sha256:DIGEST; a tag can move"
        )
    return str(images[target])


def read_images_file(file: Path) -> dict[str, Any]:
    """Read an images file; its table ``images`` is there.

    Raises:
        ConfigurationError: the file cannot be read, has no such table, or one that nobody knows.
    """
    try:
        document = tomllib.loads(file.read_text())
        document["images"] = dict(document["images"])
    except (OSError, TypeError, ValueError, KeyError) as error:
        raise ConfigurationError(f"{file}: cannot be read as a file of images: {error}") from error
    if unknown := sorted(set(document) - set(TABLES)):
        raise ConfigurationError(f"{file.name}: found {', '.join(unknown)}, expected the tables {' and '.join(TABLES)}")
    return document
