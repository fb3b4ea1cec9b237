"""Whether a registry has an image: it is asked for the manifest, as a node that pulls asks it."""

from enum import Enum

from components.contracts.errors import RegistryError
from components.contracts.images import NOT_PUSHED
from pipelines.registry.client import Registry


class Found(Enum):
    """What a registry says of an image."""

    THERE = "is in its registry"
    ZEROS = "has not been pushed: its digest is zeros"
    MISSING = "is not in its registry"
    PRIVATE = "is in a registry that asks for credentials"
    UNREACHABLE = "is in a registry that cannot be reached from here"


def find_image(image: str) -> Found:
    """Ask the registry of ``HOST/NAME@sha256:DIGEST`` for its manifest, with the token it gives to anybody, if any."""
    name, _, digest = image.partition("@")
    if digest == NOT_PUSHED:
        return Found.ZEROS
    try:
        status = Registry(name, anonymous=True).status(digest)
    except RegistryError:
        return Found.UNREACHABLE
    return {200: Found.THERE, 401: Found.PRIVATE, 403: Found.PRIVATE, 404: Found.MISSING}.get(status, Found.UNREACHABLE)
