"""The overlay of the acceptance, and the folder of its cluster, as a platform engineer writes them."""

import os
import re
from pathlib import Path
from typing import Any

import yaml

from pipelines.compiled import compiled_images
from pipelines.rendering import MANIFESTS
from tests.acceptance.gitops.repository import WorkingCopy
from tests.acceptance.gitops.settings import GitOpsSettings

PAUSE_SECONDS = 60  # of the canary, twice, in place of minutes
ANALYSIS = {"interval": "20s", "window": "40s", "patience": "60s"}  # in place of minutes
INTERVAL_SECONDS = 20
DEADLINE_SECONDS = 150  # for a pod to get ready, in place of ten minutes
SMALL = {"requests": {"cpu": "100m", "memory": "700Mi", "ephemeral-storage": "500Mi"}}
SMALL |= {"limits": {"cpu": "2", "memory": "1536Mi", "ephemeral-storage": "3Gi"}}
REPLICAS = 2
PATIENT = {"RANKLOOP_STORE_DEADLINE_MS": "500", "RANKLOOP_WAITING_MS": "2000"}  # of a cluster that is busy
SHOP_FILE = 'name = "small"\n'
PLACEHOLDER = "https://git.example.org/shop/rankloop.git"


def write_overlay(
    copy: WorkingCopy,
    settings: GitOpsSettings,
    namespace: str,
    public_key: bytes,
    prometheus: str,
    has_metrics: bool,
) -> None:
    """Copy the overlay of production, and change what differs here.

    ``namespace``: the resources of the platform engineer's own overlay, in place of the base of that name.
    """
    manifests = copy.folder / "manifests"
    (manifests / "components" / "shop" / "shop.toml").write_text(SHOP_FILE)
    (manifests / "components" / "signing" / "signing.pub").write_bytes(public_key)
    (copy.overlay / "namespace.yaml").write_text(namespace)
    (copy.overlay / "network.yaml").write_text(yaml.safe_dump_all(_openings(settings)))
    copy.write_bundle()
    document = yaml.safe_load((MANIFESTS / "overlays" / "production" / "kustomization.yaml").read_text())
    document["namespace"] = settings.namespace
    bases = [place for place in document["resources"] if not place.endswith("/namespace")]
    document["resources"] = ["namespace.yaml", "network.yaml", *bases]
    [namespaced] = {each["metadata"]["namespace"] for each in yaml.safe_load_all(namespace) if _is_variables(each)}
    merging = {"behavior": "merge", "namespace": namespaced}
    artifacts = [f"defaultPipelineRoot={settings.settings.store / 'artifacts'}"]
    document["configMapGenerator"] = [
        {"name": "rankloop", "literals": _variables(settings, copy)} | merging,
        {"name": "kfp-launcher", "literals": artifacts} | merging,
    ]
    patch = yaml.safe_dump([*_small(), *_analysis(prometheus)])
    document["patches"].append({"patch": patch, "target": {"kind": "Rollout", "name": "rankloop"}})
    if not has_metrics:
        (copy.overlay / "no_autoscaler.yaml").write_text(yaml.safe_dump(_absent_autoscaler()))
        document["patches"].append({"path": "no_autoscaler.yaml"})
    (copy.overlay / "kustomization.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def write_images(copy: WorkingCopy, images: Path) -> None:
    """Name the images as `rankloop compile` does."""
    for resource in compiled_images(copy.folder / "manifests" / "components" / "images", images):
        resource.path.write_text(resource.text)


def write_cluster(copy: WorkingCopy, settings: GitOpsSettings) -> Path:
    """Copy the folder of a cluster, with the address, the environment and names of its own; return it."""
    clusters = copy.folder / "manifests" / "clusters"
    folder = (clusters / "main").rename(clusters / settings.environment)
    for file in folder.iterdir():
        file.write_text(file.read_text().replace(PLACEHOLDER, copy.server.url))
    repository = folder / "repository.yaml"
    directories = f"\\1\n  - path: manifests/rendered/{settings.environment}\n"
    repository.write_text(re.sub(r"(directories\n  value:).*", directories, repository.read_text(), flags=re.DOTALL))
    named = {"op": "replace", "path": "/metadata/name", "value": settings.name}
    of_project = {"op": "replace", "path": "/spec/template/spec/project", "value": settings.name}
    kustomization = folder / "kustomization.yaml"
    document = yaml.safe_load(kustomization.read_text())
    document["patches"] += [
        {"target": {"kind": "AppProject", "name": "rankloop"}, "patch": yaml.safe_dump([named])},
        {"target": {"kind": "ApplicationSet", "name": "rankloop"}, "patch": yaml.safe_dump([of_project, named])},
    ]
    kustomization.write_text(yaml.safe_dump(document, sort_keys=False))
    return folder


def _variables(settings: GitOpsSettings, copy: WorkingCopy) -> list[str]:
    """Return the variables of the service, the schedules and the reverter."""
    values = {
        "RANKLOOP_ENVIRONMENT": settings.environment,
        "RANKLOOP_HOME": str(settings.settings.store / "home"),
        "RANKLOOP_GIT_URL": copy.server.url,
        "RANKLOOP_GIT_FORGE": "none",
        "RANKLOOP_GIT_TOKEN_FILE": "/etc/rankloop-git/token",
        **PATIENT,
        "AWS_ENDPOINT_URL": settings.settings.endpoint,
        "AWS_REGION": os.environ.get("AWS_REGION", "us-east-1"),
    }
    values |= {"KF_PIPELINES_ENDPOINT": settings.kubeflow} if settings.kubeflow else {}
    return [f"{name}={value}" for name, value in values.items()]


def _is_variables(resource: dict[str, Any]) -> bool:
    return (resource["kind"], resource["metadata"]["name"]) == ("ConfigMap", "rankloop")


def _small() -> list[dict[str, Any]]:
    """Change what a small cluster cannot give, and what would make a test wait."""
    pause = {"pause": {"duration": f"{PAUSE_SECONDS}s"}}
    steps = [{"setWeight": 10}, pause, {"setWeight": 50}, pause]
    return [
        {"op": "add", "path": "/spec/replicas", "value": REPLICAS},
        {"op": "replace", "path": "/spec/progressDeadlineSeconds", "value": DEADLINE_SECONDS},
        {"op": "replace", "path": "/spec/template/spec/containers/0/resources", "value": SMALL},
        {"op": "replace", "path": "/spec/strategy/canary/steps", "value": steps},
    ]


def _analysis(prometheus: str) -> list[dict[str, Any]]:
    """Say whom the analysis asks, and how often."""
    place, arguments = "/spec/strategy/canary/analysis/args/-", ANALYSIS | {"prometheus": prometheus}
    return [{"op": "add", "path": place, "value": {"name": name, "value": value}} for name, value in arguments.items()]


def _openings(settings: GitOpsSettings) -> list[dict[str, Any]]:
    """Open the networks for what runs on this machine: its Prometheus comes in, the reverter gets out to its Git."""
    machine = [{"ipBlock": {"cidr": f"{settings.machine}/32"}}] if settings.machine else []
    policies = {
        "machine-into-service": ("service", {"policyTypes": ["Ingress"], "ingress": [{"from": machine}]}),
        "reverter-to-machine": ("reverter", {"policyTypes": ["Egress"], "egress": [{"to": machine}]}),
    }
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name},
            "spec": {"podSelector": {"matchLabels": {"app.kubernetes.io/component": component}}} | opening,
        }
        for name, (component, opening) in policies.items()
        if machine
    ]


def _absent_autoscaler() -> dict[str, Any]:
    metadata = {"name": "rankloop"}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "$patch": "delete"}
