"""A small Prometheus beside the cluster, for a cluster that has none: it scrapes the pods of the service from here."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from kubernetes.client.exceptions import ApiException

from components.home.disk.durable import write_durably
from tests.acceptance.cluster import Cluster
from tests.acceptance.gitops.argocd import HASH
from tests.acceptance.gitops.settings import GitOpsSettings
from tests.servers import binary_of, free_port, running

PORT = 8080
LABEL = "rollouts_pod_template_hash"
SCRAPE_SECONDS = 5


@contextmanager
def prometheus(settings: GitOpsSettings, cluster: Cluster, key: str, folder: Path) -> Iterator[str]:
    """Give the address of the Prometheus of the settings, or of one that runs here until the block ends."""
    if settings.prometheus:
        yield settings.prometheus
        return
    port = free_port()
    address, targets = f"http://{settings.machine}:{port}", folder / "pods.json"
    file = folder / "prometheus.yaml"
    file.write_text(yaml.safe_dump(_configuration(key, targets)))
    command = [binary_of("prometheus", package="prometheus"), f"--config.file={file}"]
    command += [f"--storage.tsdb.path={folder / 'prometheus'}", f"--web.listen-address={settings.machine}:{port}"]
    with _following_pods(cluster, targets), running(command, folder / "prometheus.log", lambda: _is_ready(address)):
        yield address


@contextmanager
def _following_pods(cluster: Cluster, targets: Path) -> Iterator[None]:
    """Name the pods of the service in a file, as they come and go: Debian's Prometheus cannot ask Kubernetes."""
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(SCRAPE_SECONDS):
            with suppress(ApiException, OSError):  # it is not there yet, or the server is busy
                write_durably(targets, json.dumps(_pods(cluster)).encode())

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _pods(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the pods of the service, each with its namespace, its name and the hash of its template as labels."""
    namespace = cluster.settings.namespace
    pods = cluster.api.list_namespaced_pod(namespace, label_selector="app.kubernetes.io/component=service").items
    return [
        {
            "targets": [f"{pod.status.pod_ip}:{PORT}"],
            "labels": {"namespace": namespace, "pod": pod.metadata.name, LABEL: pod.metadata.labels.get(HASH, "")},
        }
        for pod in pods
        if pod.status.pod_ip
    ]


def scraped_pods(address: str, namespace: str) -> int:
    """Return how many pods of the service a Prometheus reads."""
    query = quote(f'count(rankloop_requests_waiting{{namespace="{namespace}"}}) or vector(0)')
    with urllib.request.urlopen(f"{address}/api/v1/query?query={query}", timeout=10) as answer:
        result = json.load(answer)["data"]["result"]
    return int(result[0]["value"][1])


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/-/ready", timeout=5):
            return True
    except OSError:
        return False


def _configuration(key: str, targets: Path) -> dict[str, Any]:
    job = {
        "job_name": "rankloop",
        "authorization": {"credentials": key},
        "file_sd_configs": [{"files": [str(targets)], "refresh_interval": f"{SCRAPE_SECONDS}s"}],
    }
    times = {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{SCRAPE_SECONDS}s"}
    return {"global": times, "scrape_configs": [job]}
