"""The pods of a run as Kubeflow Pipelines 2.17 and Argo make them of the compiled pipelines."""

from typing import Any
from uuid import uuid4

import yaml

from components.contracts.steps.declared import PIPELINES
from pipelines.compiled import MANIFESTS
from pipelines.kubernetes import RESTRICTED

LAUNCHER = {"limits": {"memory": "256Mi", "cpu": "500m"}, "requests": {"cpu": "100m"}}
DRIVER = {"limits": {"memory": "512Mi", "cpu": "500m"}, "requests": {"memory": "64Mi", "cpu": "100m"}}


def driver_pod(account: str = "rankloop-training") -> dict[str, Any]:
    """Return the pod that decides about a step before it runs."""
    return _pod("driver", account, _container("main", "ghcr.io/kubeflow/kfp-driver:2.17.0", DRIVER))


def step_pods() -> list[dict[str, Any]]:
    """Return a pod for each step of each compiled pipeline."""
    return [pod for name in PIPELINES for pod in _step_pods(name)]


def plain_pod(**container: Any) -> dict[str, Any]:
    """Return a pod of one container that is restricted as Kubernetes asks, with something changed."""
    return _pod("plain", "default", _container("main", "registry.example.invalid/plain:1") | container, argo=False)


def _step_pods(pipeline: str) -> list[dict[str, Any]]:
    version = yaml.safe_load((MANIFESTS / f"{pipeline}-version.yaml").read_text())["spec"]
    settings = version["platformSpec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    executors = version["pipelineSpec"]["deploymentSpec"]["executors"]
    return [_step_pod(name, f"rankloop-{pipeline}", executors[name]["container"], settings[name]) for name in executors]


def _step_pod(name: str, account: str, executor: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    asked = executor["resources"]
    resources = {
        "requests": {"cpu": asked["resourceCpuRequest"], "memory": asked["resourceMemoryRequest"]},
        "limits": {"cpu": asked["resourceCpuLimit"], "memory": asked["resourceMemoryLimit"]},
    }
    context = settings["securityContext"]
    container = _container("main", executor["image"], resources)
    container["securityContext"] |= {
        "runAsUser": int(context["runAsUser"]),
        "runAsGroup": int(context["runAsGroup"]),
        "runAsNonRoot": context["runAsNonRoot"],
    }
    volumes = [
        {"name": mount["volumeName"], "emptyDir": {"sizeLimit": mount["sizeLimit"]}}
        for mount in settings["emptyDirMounts"]
    ] + [
        {"name": mount["configMapName"], "configMap": {"name": mount["configMapName"], "optional": True}}
        for mount in settings["configMapAsVolume"]
    ]
    pod = _pod(name, account, container)
    pod["metadata"]["labels"] |= settings["podMetadata"]["labels"]
    pod["spec"]["volumes"] = volumes
    pod["spec"]["initContainers"].append(_container("kfp-launcher", "ghcr.io/kubeflow/kfp-launcher:2.17.0", LAUNCHER))
    return pod


def _pod(name: str, account: str, container: dict[str, Any], argo: bool = True) -> dict[str, Any]:
    extra = [_container(part, "quay.io/argoproj/argoexec:v4.0.5") for part in ("init", "wait")] if argo else []
    labels = {"workflows.argoproj.io/workflow": "run"} if argo else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{name}-{uuid4().hex[:8]}", "labels": labels},
        "spec": {
            "serviceAccountName": account,
            "initContainers": extra[:1],
            "containers": [container, *extra[1:]],
        },
    }


def _container(name: str, image: str, resources: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": name, "image": image, "resources": resources or {}, "securityContext": dict(RESTRICTED)}
