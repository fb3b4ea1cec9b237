"""Argo CD and Argo Rollouts, asked about the environment of the acceptance."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client

from tests.acceptance.cluster import PAUSE_SECONDS, Cluster
from tests.acceptance.gitops.repository import USER, GitServer
from tests.acceptance.gitops.settings import GitOpsSettings
from tests.waiting import until

ARGOCD = "argocd"
SETTINGS = "argocd-cm"
DEFINED = {"applications.argoproj.io", "rollouts.argoproj.io"}
METRICS = "metrics.k8s.io"
HASH = "rollouts-pod-template-hash"
PATIENCE_SECONDS = 900


def missing_kinds(cluster: Cluster) -> list[str]:
    """Return what this acceptance needs and the cluster does not serve."""
    served = {name.rpartition("/")[2] for name in cluster.kubectl("get", "crd", "--output=name").split()}
    return sorted(DEFINED - served)


def has_metrics(cluster: Cluster) -> bool:
    """Say whether the cluster has a metrics server, without which an autoscaler is never well."""
    groups = client.ApisApi(cluster.api.api_client).get_api_versions().groups
    return METRICS in {group.name for group in groups}


@dataclass(frozen=True)
class Application:
    """What Argo CD says of the environment, at one moment."""

    document: dict[str, Any]

    @property
    def sync(self) -> str:
        """Return whether the cluster is what Git says: Synced or OutOfSync."""
        return str(self._status("sync").get("status", ""))

    @property
    def revision(self) -> str:
        """Return the commit that was compared last."""
        return str(self._status("sync").get("revision", ""))

    @property
    def health(self) -> str:
        """Return how the resources are: Healthy, Progressing, Degraded, …"""
        return str(self._status("health").get("status", ""))

    @property
    def phase(self) -> str:
        """Return how the newest sync went: Running, Succeeded, Failed, …"""
        return str(self._status("operationState").get("phase", ""))

    @property
    def synced_revision(self) -> str:
        """Return the commit of the newest sync."""
        state = self._status("operationState")
        return str((state.get("syncResult") or {}).get("revision") or _operation(state))

    @property
    def is_green(self) -> bool:
        """Say whether everything is as Git says, and well."""
        return (self.sync, self.health) == ("Synced", "Healthy")

    def __str__(self) -> str:
        """Say all of it in a line."""
        message = self._status("operationState").get("message", "")
        conditions = [each.get("message") for each in self.document.get("status", {}).get("conditions", [])]
        ill = [
            f"{each['kind']} {each.get('health', {}).get('status')}: {each.get('health', {}).get('message', '')}"
            for each in self.document.get("status", {}).get("resources", [])
            if each.get("health", {}).get("status", "Healthy") != "Healthy"
        ]
        return (
            f"{self.sync}, {self.health}, sync {self.phase} of {self.synced_revision[:7]}: {message} {conditions} {ill}"
        )

    def _status(self, part: str) -> dict[str, Any]:
        status: dict[str, Any] = self.document.get("status", {}).get(part) or {}
        return status


def _operation(state: dict[str, Any]) -> str:
    return str(state.get("operation", {}).get("sync", {}).get("revision", ""))


@dataclass(frozen=True)
class Argo:
    """Argo CD, which follows the repository, and the Rollout that it deploys."""

    cluster: Cluster
    settings: GitOpsSettings

    def application(self) -> Application:
        """Return what Argo CD says now; an empty one before it has made the Application."""
        named = ("get", "application", self.settings.name, "--namespace", ARGOCD, "--ignore-not-found", "--output=json")
        return Application(json.loads(self.cluster.kubectl(*named) or "{}"))

    def refresh(self) -> None:
        """Have Argo CD look into Git now, as a webhook of the Git server does."""
        if self.application().document:
            change = ("annotate", "application", self.settings.name, "argocd.argoproj.io/refresh=normal", "--overwrite")
            self.cluster.kubectl(*change, "--namespace", ARGOCD)

    def wait_deployed(self, commit: str) -> float:
        """Wait until a commit is deployed and everything well; return how many seconds that took."""
        begun = time.monotonic()
        self.refresh()

        def is_deployed() -> bool:
            application = self.application()
            failed = application.phase in ("Failed", "Error") and application.synced_revision == commit
            assert not failed, str(application)
            return application.is_green and application.revision == commit and application.phase == "Succeeded"

        self._until(is_deployed)
        return time.monotonic() - begun

    def wait_failed(self, commit: str) -> None:
        """Wait until the sync of a commit has failed, or left something that is not well."""
        self.refresh()

        def has_failed() -> bool:
            application = self.application()
            bad = application.health == "Degraded" or application.phase in ("Failed", "Error")
            return application.synced_revision == commit and bad

        self._until(has_failed)

    def rollout(self) -> dict[str, Any]:
        """Return the Rollout."""
        named = ("get", "rollout", "rankloop", "--namespace", self.settings.namespace, "--output=json")
        rollout: dict[str, Any] = json.loads(self.cluster.kubectl(*named))
        return rollout

    def served_bundle(self) -> str:
        """Return the bundle that the Rollout names."""
        container = self.rollout()["spec"]["template"]["spec"]["containers"][0]
        return str(container["env"][0]["value"])

    def wait_aborted(self) -> str:
        """Wait until Argo Rollouts takes a canary back; return what it says of that."""
        self._until(lambda: bool(self.rollout()["status"].get("abort")))
        return str(self.rollout()["status"].get("message", ""))

    def _until(self, holds: Any) -> None:
        until(holds, lambda: str(self.application()), PAUSE_SECONDS, PATIENCE_SECONDS)


@contextmanager
def followed(argo: Argo, server: GitServer, folder: Path) -> Iterator[None]:
    """Have Argo CD follow the repository until the block ends, with a Secret of its own for reading it."""
    cluster, settings = argo.cluster, argo.settings
    before = set(_settings_of_argocd(cluster))
    try:
        cluster.kubectl("apply", "--filename=-", document=json.dumps(_repository_secret(settings, server)))
        rendered = cluster.kubectl("kustomize", folder)
        words = ("apply", "--server-side", "--field-manager", "rankloop", "--filename=-")
        cluster.kubectl(*words, document=rendered)
        yield
    finally:
        for kind in ("applicationset", "application", "appproject", "secret"):
            cluster.kubectl("delete", kind, settings.name, "--namespace", ARGOCD, "--ignore-not-found")
        for key in set(_settings_of_argocd(cluster)) - before:
            change = json.dumps({"data": {key: None}})
            cluster.kubectl("patch", "configmap", SETTINGS, "--namespace", ARGOCD, "--type=merge", f"--patch={change}")


def _settings_of_argocd(cluster: Cluster) -> dict[str, str]:
    document = json.loads(cluster.kubectl("get", "configmap", SETTINGS, "--namespace", ARGOCD, "--output=json"))
    return document.get("data") or {}


def _repository_secret(settings: GitOpsSettings, server: GitServer) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": settings.name,
            "namespace": ARGOCD,
            "labels": {"argocd.argoproj.io/secret-type": "repository"},
        },
        "stringData": {"type": "git", "url": server.url, "username": USER, "password": server.token},
    }
