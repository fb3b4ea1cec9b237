"""The overlays as a platform engineer renders them, each in a namespace of a test's own."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.kubernetes.server import Cluster

MANIFESTS = Path(__file__).parents[2] / "manifests"
OVERLAYS = tuple(sorted(folder.name for folder in (MANIFESTS / "overlays").iterdir()))
KUBEFLOW = Path(__file__).with_name("kubeflow_resources.yaml")
RELEASED = Path(__file__).with_name("released.yaml")


@cache
def rendered(cluster: Cluster, overlay: str) -> str:
    """Return the resources of an overlay, rendered once."""
    return rendered_folder(cluster, MANIFESTS / "overlays" / overlay)


def moved(cluster: Cluster, text: str, namespace: str) -> list[dict[str, Any]]:
    """Return resources as they are in another namespace."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "resources.yaml").write_text(text)
        Path(folder, "kustomization.yaml").write_text(f"namespace: {namespace}\nresources: [resources.yaml]\n")
        return list(yaml.safe_load_all(rendered_folder(cluster, Path(folder))))


def rendered_folder(cluster: Cluster, folder: Path) -> str:
    """Return what `kubectl kustomize` makes of a folder."""
    answer = cluster.kubectl("kustomize", str(folder))
    assert answer.returncode == 0, answer.stderr
    return answer.stdout
