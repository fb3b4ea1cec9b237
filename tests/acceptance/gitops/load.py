"""A pod of callers: a steady load through the Service, from a namespace that may send requests."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kubernetes.client.exceptions import ApiException

from tests import steady_load
from tests.acceptance.cluster import PAUSE_SECONDS, Cluster, pod_of
from tests.steady_load import Report
from tests.waiting import until

NAME, PORT = "load", 8080
SILENT_SECONDS = 20
STOP_SECONDS = 180  # for the last answers


@dataclass(frozen=True)
class LoadPod:
    """The pod, and what it has printed so far."""

    cluster: Cluster

    def report(self) -> Report:
        """Return what became of the requests so far."""
        printed = self.cluster.api.read_namespaced_pod_log(NAME, self.cluster.settings.namespace)
        return Report.read(printed.splitlines(keepends=True))

    def wait_for_answers(self, bundle: str) -> float:
        """Wait until a bundle answers from now on; return when its first such answer came."""
        begun = time.time()

        def answers() -> list[float]:
            seconds = self.report().seconds
            return [each.at for each in seconds if each.at >= begun and each.answers.get(bundle)]

        until(lambda: bool(answers()), lambda: f"no answer of {bundle} since {begun}", PAUSE_SECONDS)
        return answers()[0]

    def wait_without(self, bundle: str) -> None:
        """Wait until a bundle has not answered for some seconds, while others have."""

        def is_silent() -> bool:
            report = self.report()
            return report.seconds[-1].at - (report.last(bundle) or 0) > SILENT_SECONDS

        until(is_silent, lambda: f"{bundle} still answers", PAUSE_SECONDS)

    def stop(self) -> Report:
        """Send nothing more, wait for the last answers, and return everything."""
        namespace = self.cluster.settings.namespace
        command = ("exec", NAME, "--namespace", namespace, "--", "sh", "-c", "kill -TERM 1")
        self.cluster.kubectl(*command)
        until(lambda: self._phase() == "Succeeded", lambda: f"the load is {self._phase()}", PAUSE_SECONDS, STOP_SECONDS)
        return self.report()

    def _phase(self) -> str:
        return str(self.cluster.api.read_namespaced_pod(NAME, self.cluster.settings.namespace).status.phase)


@contextmanager
def load(cluster: Cluster, image: str, key: str, service: str, rate: float) -> Iterator[LoadPod]:
    """Send requests to a Service with an API key until the block ends; ``cluster`` is of the callers' namespace."""
    namespace = cluster.settings.namespace
    program = steady_load.__file__
    with open(program) as file:
        documents: list[dict[str, Any]] = [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": {"load.py": file.read()}},
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME}, "stringData": {"KEY": key}},
        ]
    pod = pod_of(NAME, image, "python", "/etc/load/load.py", service, str(PORT), str(rate), cpu="1", memory="256Mi")
    [container] = pod["spec"]["containers"]
    container["resources"]["requests"]["cpu"] = "100m"
    container["envFrom"] = [{"secretRef": {"name": NAME}}]
    container["volumeMounts"] = [{"name": "program", "mountPath": "/etc/load"}]
    pod["spec"]["volumes"] = [{"name": "program", "configMap": {"name": NAME}}]
    documents.append({"apiVersion": "v1", "kind": "Pod"} | pod)
    items = {"apiVersion": "v1", "kind": "List", "items": documents}
    cluster.kubectl("apply", "--namespace", namespace, "--filename=-", document=json.dumps(items))
    running = LoadPod(cluster)
    until(lambda: bool(_seconds(running)), lambda: f"the load is {running._phase()}", PAUSE_SECONDS)
    yield running


def _seconds(running: LoadPod) -> list[Any]:
    try:
        return running.report().seconds
    except ApiException:  # its container has not begun
        return []
