"""The manifests of each environment as the cluster gets them: committed, one resource a file.

An environment is an overlay with a ``bundle.yaml``. Argo CD applies what is rendered, so that a reviewer's diff is the
cluster's diff, and a promotion can change its line in both places without kubectl.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import yaml

from components.contracts.errors import ConfigurationError
from pipelines.compiled import Resource
from pipelines.environments import check_environments, environment_of
from pipelines.paths import MANIFESTS as MANIFESTS

KUBECTL_VARIABLE = "KUBECTL"
SEPARATOR = re.compile(r"^---\n", re.MULTILINE)


def environments(manifests: Path) -> list[str]:
    """Return the environments that Git deploys, sorted."""
    return sorted(bundle.parent.name for bundle in (manifests / "overlays").glob("*/bundle.yaml"))


def rendered_resources(kubectl: str, manifests: Path) -> list[Resource]:
    """Render every environment.

    Raises:
        ConfigurationError: kubectl is missing, or finds an overlay wrong; environments or clusters get into each
            other's way.
    """
    rendered = {name: list(_rendered(kubectl, manifests, name)) for name in environments(manifests)}
    found = [environment_of(name, [one.text for one in resources]) for name, resources in rendered.items()]
    check_environments(found, _clusters(kubectl, manifests))
    return [resource for resources in rendered.values() for resource in resources]


def left_over(resources: list[Resource], manifests: Path) -> list[Path]:
    """Return the rendered files of resources that there are no more."""
    written = {resource.path for resource in resources}
    return sorted(file for file in (manifests / "rendered").rglob("*") if file.is_file() and file not in written)


def _rendered(kubectl: str, manifests: Path, environment: str) -> Iterator[Resource]:
    for text in SEPARATOR.split(_kustomize(kubectl, manifests / "overlays" / environment)):
        document = yaml.load(text, yaml.CSafeLoader)  # a compiled pipeline takes the other one seconds
        name = f"{document['kind']}-{document['metadata']['name']}".lower()
        yield Resource(manifests / "rendered" / environment / f"{name}.yaml", text)


def _clusters(kubectl: str, manifests: Path) -> dict[str, dict[str, Any]]:
    """Return the ApplicationSet of each cluster."""
    folders = sorted((manifests / "clusters").iterdir())
    return {folder.name: _applications(_kustomize(kubectl, folder)) for folder in folders}


def _applications(text: str) -> dict[str, Any]:
    [applications] = [one for one in yaml.load_all(text, yaml.CSafeLoader) if one["kind"] == "ApplicationSet"]
    return dict(applications)


def _kustomize(kubectl: str, overlay: Path) -> str:
    if which(kubectl) is None:
        raise ConfigurationError(
            f"kubectl: found no program {kubectl!r}, expected kubectl 1.30 or newer; install it, or name it in"
            f" {KUBECTL_VARIABLE}"
        )
    finished = subprocess.run([kubectl, "kustomize", overlay], capture_output=True, text=True, check=False)
    if finished.returncode:
        raise ConfigurationError(f"{overlay}: kubectl cannot render it: {finished.stderr.strip()}")
    return finished.stdout
