"""Definitions of other projects' resources, read out of their Go modules; none is committed here.

A module is downloaded once a machine, into Go's own cache, and must have the content that is named here.
"""

import json
import os
import subprocess
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.kubernetes.programs import go


@dataclass(frozen=True)
class Module:
    """A Go module by its path, version and digest, and its files that define resources."""

    path: str
    version: str
    digest: str
    files: tuple[str, ...]


ROLLOUTS = Module(
    "github.com/argoproj/argo-rollouts",
    "v1.8.3",
    "h1:blbtQva4IK9r6gFh+dWkCrLnFdPOWiv9ubQYu36qeaA=",
    tuple(f"manifests/crds/{name}-crd.yaml" for name in ("rollout", "analysis-run", "analysis-template")),
)
ARGO_CD = Module(
    "github.com/argoproj/argo-cd/v3",
    "v3.1.8",
    "h1:NkLPiRI5qGkV+q1EN3O7/0Wb9O/MVl62vadKteZqMUw=",
    tuple(f"manifests/crds/{name}-crd.yaml" for name in ("appproject", "applicationset", "application")),
)
GATEWAY = Module(
    "sigs.k8s.io/gateway-api",
    "v1.3.0",
    "h1:q6okN+/UKDATola4JY7zXzx40WO4VISk7i9DIfOvr9M=",
    ("config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",),
)
KEDA = Module(
    "github.com/kedacore/keda/v2",
    "v2.17.2",
    "h1:xlrcK5TKABJF9PebK79sgL07s/csGjL3H4m72OkZXxk=",
    ("config/crd/bases/keda.sh_scaledobjects.yaml",),
)
PROMETHEUS = Module(
    "github.com/prometheus-operator/prometheus-operator",
    "v0.85.0",
    "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
    ("example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",),
)


def definitions(module: Module) -> str:
    """Return the definitions of a module's resources as one text of YAML documents."""
    return "\n---\n".join(text_of(module, file) for file in module.files)


@cache
def text_of(module: Module, file: str) -> str:
    """Return one file of a module.

    Raises:
        RuntimeError: it cannot be downloaded, or has another content.
    """
    with zipfile.ZipFile(_archive(module)) as archive:
        return archive.read(f"{module.path}@{module.version}/{file}").decode()


def _archive(module: Module) -> Path:
    command = [*go(), "mod", "download", "-json", f"{module.path}@{module.version}"]
    settings = {"GOFLAGS": "", "GOWORK": "off", "GOTOOLCHAIN": "local", "GONOSUMDB": "*"}  # the digest is checked here
    finished = subprocess.run(command, cwd="/", env=os.environ | settings, capture_output=True, text=True)
    answer = json.loads(finished.stdout or "{}")
    if "Zip" not in answer:
        reason = answer.get("Error", finished.stderr)
        raise RuntimeError(f"{module.path} {module.version} cannot be downloaded: {reason}")
    if answer["Sum"] != module.digest:
        raise RuntimeError(f"{module.path} {module.version}: found content {answer['Sum']}, expected {module.digest}")
    return Path(answer["Zip"])
