"""The images that steps run in: named in ``components/images.toml``, each by an immutable digest."""

import re
import tomllib
from functools import cache
from pathlib import Path

from components.contracts.errors import ConfigurationError

IMAGES_FILE = Path(__file__).parents[1] / "images.toml"
DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}$")


@cache
def image(target: str) -> str:
    """Return the image of a Dockerfile target (``steps``, ``monitoring`` or ``serving``).

    Raises:
        ConfigurationError: the file does not name the target, or names it without a digest.
    """
    return read_image(IMAGES_FILE, target)


def read_image(file: Path, target: str) -> str:
    """Read a target's image from an images file."""
    images = tomllib.loads(file.read_text())["images"]
    if target not in images:
        raise ConfigurationError(f"{file.name}: no image is called {target!r}; it names {', '.join(sorted(images))}")
    if not DIGEST.match(images[target]):
        raise ConfigurationError(
            f"{file.name}: {target} is {images[target]!r}, expected NAME@sha256:DIGEST; a tag can move"
        )
    return str(images[target])
