"""The overlays as a platform engineer renders them, each in a namespace of a test's own."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.kubernetes.programs import program

MANIFESTS = Path(__file__).parents[2] / "manifests"
OVERLAYS = tuple(sorted(folder.name for folder in (MANIFESTS / "overlays").iterdir()))
COMPONENTS = tuple(sorted(folder.name for folder in (MANIFESTS / "components").iterdir()))
CHANGING = ("bundle-image", "canary", "images", "pull-secret", "requests-scaling", "signing")  # what bases bring
ADDING = tuple(name for name in COMPONENTS if name not in CHANGING)
KUBEFLOW = Path(__file__).with_name("kubeflow_resources.yaml")
RELEASED = Path(__file__).with_name("released.yaml")


@cache
def overlay(name: str) -> str:
    """Return the resources of an overlay, rendered once."""
    return rendered(MANIFESTS / "overlays" / name)


def component(name: str) -> str:
    """Return the resources that a component adds to an overlay."""
    return composed(components=[name])


def composed(bases: Sequence[str] = (), components: Sequence[str] = ()) -> str:
    """Return the resources of bases and components together."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(os.path.relpath(MANIFESTS, Path(folder).resolve()))
        names = {"resources": [str(here / "base" / name) for name in bases]}
        names |= {"components": [str(here / "components" / name) for name in components]}
        Path(folder, "kustomization.yaml").write_text(yaml.safe_dump(names))
        return rendered(Path(folder))


def moved(text: str, namespace: str) -> list[dict[str, Any]]:
    """Return resources as they are in another namespace."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "resources.yaml").write_text(text)
        Path(folder, "kustomization.yaml").write_text(f"namespace: {namespace}\nresources: [resources.yaml]\n")
        return list(yaml.load_all(rendered(Path(folder)), yaml.CSafeLoader))  # compiled pipelines are long


def rendered(folder: Path) -> str:
    """Return what `kubectl kustomize` makes of a folder.

    Raises:
        RuntimeError: what kubectl says against it.
    """
    answer = subprocess.run([program("kubectl"), "kustomize", folder], capture_output=True, text=True, check=False)
    if answer.returncode:
        raise RuntimeError(answer.stderr)
    return answer.stdout
