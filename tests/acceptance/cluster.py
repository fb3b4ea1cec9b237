"""The cluster: what is applied to it, what it refuses, what runs in it, and how everything goes again."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from pipelines.kubernetes import RESTRICTED, USER
from tests.acceptance.settings import Settings
from tests.kubernetes.programs import program
from tests.waiting import until

ENGINEER = "engineer"  # the account that submits, with Kubeflow's own role for editors
AUDIENCE = "pipelines.kubeflow.org"  # of the tokens that Kubeflow Pipelines takes
PAUSE_SECONDS, PATIENCE_SECONDS = 1, 1800  # a node may pull an image of more than a gigabyte first
FORBIDDEN = 403


@dataclass(frozen=True)
class Cluster:
    """The namespace of the acceptance, in the cluster of KUBECONFIG."""

    settings: Settings

    @cached_property
    def api(self) -> client.CoreV1Api:
        """The API server, as an administrator."""
        return client.CoreV1Api(config.new_client_from_config())

    def as_account(self, account: str) -> client.CoreV1Api:
        """The API server, as a service account of the namespace."""
        impersonating = config.new_client_from_config()
        user = f"system:serviceaccount:{self.settings.namespace}:{account}"
        impersonating.set_default_header("Impersonate-User", user)
        return client.CoreV1Api(impersonating)

    def token(self, account: str) -> str:
        """Return a token of an account for Kubeflow Pipelines."""
        asked = {"spec": {"audiences": [AUDIENCE], "expirationSeconds": 24 * 3600}}
        answer = self.api.create_namespaced_service_account_token(account, self.settings.namespace, asked)
        return str(answer.status.token)

    def has_namespace(self) -> bool:
        """Say whether the namespace is there."""
        names = [each.metadata.name for each in self.api.list_namespace().items]
        return self.settings.namespace in names

    def apply(self, folder: Path) -> None:
        """Apply a kustomization, as a platform engineer does."""
        rendered = self.kubectl("kustomize", folder)
        for _ in range(2):  # the second time nothing may change: the server compares
            applied = self.kubectl("apply", "--server-side", "--validate=strict", "-f", "-", document=rendered)
        assert applied

    def delete_namespace(self) -> None:
        """Delete the namespace, and wait until it is gone."""
        if self.has_namespace():
            self.api.delete_namespace(self.settings.namespace)
        until(lambda: not self.has_namespace(), lambda: "the namespace is still there", PAUSE_SECONDS, PATIENCE_SECONDS)

    def refusal(self, pod: dict[str, Any]) -> str:
        """Return what the API server says against a pod, which is not made; nothing where it would take it."""
        return refusal(lambda: self.api.create_namespaced_pod(self.settings.namespace, pod, dry_run="All"))

    def run_pod(self, pod: dict[str, Any]) -> tuple[str, str]:
        """Run a pod to its end; return its phase and its log."""
        name, namespace = pod["metadata"]["name"], self.settings.namespace
        self.api.create_namespaced_pod(namespace, pod)
        try:
            until(
                lambda: self._phase(name) in ("Succeeded", "Failed"),
                lambda: f"pod {name} has not ended",
                PAUSE_SECONDS,
                PATIENCE_SECONDS,
            )
            return self._phase(name), self.api.read_namespaced_pod_log(name, namespace).strip()
        finally:
            self.api.delete_namespaced_pod(name, namespace, grace_period_seconds=0)

    def _phase(self, name: str) -> str:
        return str(self.api.read_namespaced_pod(name, self.settings.namespace).status.phase)

    def kubectl(self, *words: str | Path, document: str | None = None) -> str:
        """Run kubectl as an administrator; it must end well. Return what it printed."""
        command = shutil.which("kubectl") or str(program("kubectl"))
        ended = subprocess.run([command, *map(str, words)], input=document, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


def refusal(ask: Callable[[], Any]) -> str:
    """Return what the API server says against a request; nothing where it grants it."""
    try:
        ask()
    except ApiException as error:
        if error.status != FORBIDDEN:
            raise
        return str(json.loads(error.body)["message"])
    return ""


def pod_of(name: str, image: str, *command: str, labels: dict[str, str] | None = None, **resources: str) -> Any:
    """Describe a pod of one container that restricted Pod Security admits."""
    context = RESTRICTED | {"runAsUser": USER}
    container = {"name": "main", "image": image, "command": list(command), "securityContext": context}
    container |= {"resources": {"requests": resources, "limits": resources}} if resources else {}
    specification = {"restartPolicy": "Never", "containers": [container]}
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": specification}


@contextmanager
def kustomization(folder: Path, settings: Settings, shop_file: str) -> Iterator[Path]:
    """Give a folder with what the acceptance adds to the overlay; it holds secrets, so it is removed at once."""
    folder.mkdir()
    try:
        _write_kustomization(folder, settings, shop_file)
        yield folder
    finally:
        shutil.rmtree(folder)


def _write_kustomization(folder: Path, settings: Settings, shop_file: str) -> None:
    """Write the acceptance's own namespace, store, secrets and shop file."""
    (folder / "shop.toml").write_text(shop_file)
    variables = {name: os.environ.get(name, "") for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    store = {"AWS_ENDPOINT_URL": settings.endpoint, "AWS_REGION": os.environ.get("AWS_REGION", "us-east-1")}
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": settings.namespace,
        "resources": [os.path.relpath(settings.overlay, folder.resolve()), "engineer.yaml"],
        "generatorOptions": {"disableNameSuffixHash": True},
        "configMapGenerator": [
            {"name": "rankloop", "behavior": "merge", "literals": _literals(store)},
            {"name": "rankloop-shop", "files": ["shop.toml"]},
            {
                "name": "kfp-launcher",
                "behavior": "merge",
                "literals": [f"defaultPipelineRoot={settings.store / 'artifacts'}"],
            },
        ],
        "secretGenerator": [
            {"name": "rankloop", "literals": _literals(variables | {"RANKLOOP_ONLINE_URL": settings.online})}
        ],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(document))
    (folder / "engineer.yaml").write_text(yaml.safe_dump_all(engineer()))


def engineer() -> list[dict[str, Any]]:
    """Describe an account that may do everything with Kubeflow's runs in the namespace, and nothing else."""
    rbac, named = "rbac.authorization.k8s.io", {"metadata": {"name": ENGINEER}}
    rules = [{"apiGroups": ["pipelines.kubeflow.org"], "resources": ["*"], "verbs": ["*"]}]
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount"} | named,
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "rules": rules} | named,
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": ENGINEER},
            "subjects": [{"kind": "ServiceAccount", "name": ENGINEER}],
        }
        | named,
    ]


def _literals(values: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in values.items()]
