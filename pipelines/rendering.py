"""The manifests of each environment as the cluster gets them: committed, one resource a file.

An environment is an overlay with a ``bundle.yaml``. Argo CD applies what is rendered, so that a reviewer's diff is the
cluster's diff, and a promotion can change its line in both places without kubectl.

Runs find ConfigMaps by fixed names, so that one of another content keeps its name, and pods would go on with the
variables that they began with. So the template of pods that stay names a digest of these: a change of them is a
rollout. What pods follow by themselves, such as experiments, is mounted and changes nothing.
"""

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
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
STAYING = ("Deployment", "Rollout")
TEMPLATE = re.compile(r"^  template:\n    metadata:\n(?:      annotations:\n)?", re.MULTILINE)  # as kustomize writes it
ANNOTATION = "rankloop/configuration"

Document = dict[str, Any]


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
    texts = SEPARATOR.split(_kustomize(kubectl, manifests / "overlays" / environment))
    documents = [yaml.load(text, yaml.CSafeLoader) for text in texts]  # a compiled pipeline takes the other one seconds
    config_maps = {one["metadata"]["name"]: one.get("data", {}) for one in documents if one["kind"] == "ConfigMap"}
    for document, text in zip(documents, texts, strict=True):
        name = f"{document['kind']}-{document['metadata']['name']}".lower()
        content = _with_configuration(document, text, config_maps)
        yield Resource(manifests / "rendered" / environment / f"{name}.yaml", content)


def _with_configuration(document: Document, text: str, config_maps: Mapping[str, Document]) -> str:
    """Return the text of a resource; that of pods that stay names the digest of the variables that they begin with."""
    known = {name: config_maps[name] for name in _config_maps_of(document) if name in config_maps}
    if not known:
        return text
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12]
    annotated = f'  template:\n    metadata:\n      annotations:\n        {ANNOTATION}: "{digest}"\n'
    return TEMPLATE.sub(annotated, text, count=1)


def _config_maps_of(document: Document) -> set[str]:
    """Return the ConfigMaps that the variables of pods that stay come from."""
    if document["kind"] not in STAYING:
        return set()
    containers = document["spec"]["template"]["spec"]["containers"]
    sources = [source for container in containers for source in container.get("envFrom", ())]
    return {source["configMapRef"]["name"] for source in sources if "configMapRef" in source}


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
