"""A Kubernetes API server of a test's own, with etcd and the controllers, on loopback; nothing runs its pods.

::

    etcd ◀── kube-apiserver ◀── kube-controller-manager: fills quotas, makes the pods of Jobs and Deployments
                  ▲
               kubectl, as an administrator
"""

import json
import ssl
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.kubernetes.programs import program
from tests.servers import free_port, running

TOKEN = "an-administrator"
CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
)

T = TypeVar("T")


@dataclass(frozen=True)
class Cluster:
    """A running API server."""

    url: str
    certificate: Path
    kubeconfig: Path

    def kubectl(self, *arguments: str, document: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl as an administrator, with a document as its standard input."""
        command = [str(program("kubectl")), f"--kubeconfig={self.kubeconfig}"]
        command += [f"--cache-dir={self.kubeconfig.parent}/discovery", *arguments]
        return subprocess.run(command, input=document, capture_output=True, text=True, check=False)

    def apply(self, *documents: dict[str, Any] | str, manager: str = "kubectl") -> list[str]:
        """Apply by the server itself, strictly, and return what was applied, such as ``serviceaccount/default``.

        What the same ``manager`` has applied before, and now leaves out, goes.

        Raises:
            RuntimeError: what the server said against it.
        """
        text = "\n---\n".join(one if isinstance(one, str) else json.dumps(one) for one in documents)
        options = ("--server-side", f"--field-manager={manager}", "--validate=strict", "--output=name", "--filename=-")
        answer = self.kubectl("apply", *options, document=text)
        if answer.returncode:
            raise RuntimeError(answer.stderr)
        return answer.stdout.split()

    def get(self, *arguments: str) -> list[dict[str, Any]]:
        """Return resources as `kubectl get` lists them; none where there are none."""
        answer = self.kubectl("get", "--ignore-not-found", "--output=json", *arguments)
        if answer.returncode:
            raise RuntimeError(answer.stderr)
        document = json.loads(answer.stdout or '{"items": []}')
        return document.get("items", [document])


@contextmanager
def kubernetes_server(folder: Path) -> Iterator[Cluster]:
    """Run an empty cluster without nodes in a folder; the controllers begin as soon as the server is ready.

    Raises:
        RuntimeError: a program is missing and cannot be built, or does not start.
    """
    keys = _signing_key(folder)
    with ExitStack() as stack:
        store = _entered(stack, lambda: _etcd(folder))
        cluster = _entered(stack, lambda: _api_server(folder, store, keys))
        stack.enter_context(_controllers(folder, cluster, keys))
        yield cluster


def _entered(stack: ExitStack, start: Callable[[], AbstractContextManager[T]]) -> T:
    """Enter the context of a server; once more, with other ports, where another process took one meanwhile."""
    try:
        return stack.enter_context(start())
    except RuntimeError:
        return stack.enter_context(start())


@contextmanager
def _etcd(folder: Path) -> Iterator[str]:
    url, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command = [str(program("etcd")), f"--data-dir={folder}/etcd-{url.rsplit(':', 1)[1]}", "--unsafe-no-fsync"]
    command += [f"--listen-client-urls={url}", f"--advertise-client-urls={url}", f"--listen-peer-urls={peers}"]
    command += [f"--initial-advertise-peer-urls={peers}", f"--initial-cluster=default={peers}", "--log-level=error"]
    with running(command, folder / "etcd.log", ready=lambda: _is_well(f"{url}/health")):
        yield url


@contextmanager
def _api_server(folder: Path, store: str, keys: Path) -> Iterator[Cluster]:
    """Run the API server with Kubernetes' own admission: restricted pods, quotas, limits, accounts."""
    port = free_port()
    certificates, tokens = folder / f"certificates-{port}", folder / "tokens.csv"
    tokens.write_text(f'{TOKEN},administrator,administrator,"system:masters"\n')
    cluster = Cluster(f"https://127.0.0.1:{port}", certificates / "apiserver.crt", folder / "kubeconfig")
    cluster.kubeconfig.write_text(_kubeconfig(cluster))
    command = [str(program("kube-apiserver")), f"--etcd-servers={store}", f"--secure-port={port}"]
    command += ["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--service-cluster-ip-range=10.0.0.0/24"]
    command += [f"--cert-dir={certificates}", f"--token-auth-file={tokens}", "--authorization-mode=RBAC"]
    command += ["--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={keys}"]
    command += [f"--service-account-signing-key-file={keys}", "--endpoint-reconciler-type=none"]
    command += ["--allow-privileged"]  # as clusters do, so that it is the namespace that refuses
    with running(
        command, folder / "kube-apiserver.log", ready=lambda: _is_well(f"{cluster.url}/readyz", cluster.certificate)
    ):
        yield cluster


@contextmanager
def _controllers(folder: Path, cluster: Cluster, keys: Path) -> Iterator[None]:
    command = [str(program("kube-controller-manager")), f"--kubeconfig={cluster.kubeconfig}", "--secure-port=0"]
    command += [f"--controllers={','.join(CONTROLLERS)}", "--leader-elect=false"]
    command += [f"--service-account-private-key-file={keys}", f"--root-ca-file={cluster.certificate}"]
    with running(command, folder / "kube-controller-manager.log", ready=lambda: True):
        yield


def _kubeconfig(cluster: Cluster) -> str:
    server = {"server": cluster.url, "certificate-authority": str(cluster.certificate)}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": server}],
            "users": [{"name": "administrator", "user": {"token": TOKEN}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "administrator"}}],
            "current-context": "tests",
        }
    )


def _signing_key(folder: Path) -> Path:
    """Make the key that signs the tokens of service accounts."""
    file = folder / "accounts.key"
    key = ec.generate_private_key(ec.SECP256R1())
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    return file


def _is_well(url: str, certificate: Path | None = None) -> bool:
    try:
        trust = ssl.create_default_context(cafile=certificate) if certificate else None
        with urllib.request.urlopen(url, timeout=5, context=trust) as answer:
            return answer.status == 200
    except OSError:
        return False
