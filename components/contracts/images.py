"""The images that steps run in, referenced by an immutable digest on a cluster."""

import os

REGISTRY = "registry.example.invalid/rankloop"


def image(target: str) -> str:
    """Return the image of a Dockerfile target (``steps``, ``monitoring`` or ``serving``).

    ``RANKLOOP_IMAGE_<TARGET>`` names the built image with its digest when pipelines are compiled for a cluster.
    """
    return os.environ.get(f"RANKLOOP_IMAGE_{target.upper()}", f"{REGISTRY}/{target}:python")
