"""The pods of a run, where this machine may see them: what keeps one from beginning, or has ended it."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from components.contracts.steps.declared import WORDS
from pipelines.cluster.api import connect

RUN_LABEL = "pipeline/runid"
ROLE, NODE = "pipelines.kubeflow.org/runtime-role", "workflows.argoproj.io/node-name"
SECONDS = 5
USUAL_NAMESPACE = "kubeflow"
OUT_OF_MEMORY = "ran out of memory"
HARMLESS = ("ContainerCreating", "PodInitializing", "Completed", None)


def pod_troubles(run_id: str, namespace: str | None) -> dict[str, str]:
    """Return what is wrong with the pods of a run of KFP by step, in words; empty where they cannot be seen from here.

    A kubeconfig of another cluster is no harm: the run's id is its own. Without a ``namespace`` all of them are
    searched, or, where the account may not do that, the one in which Kubeflow is usually installed.
    """
    for place in (namespace,) if namespace else (None, USUAL_NAMESPACE):
        with suppress(Exception):  # no kubeconfig, no rights, no answer: then KFP's own words must do
            return {step: trouble for step, pod in _pods(run_id, place) for trouble in _troubles(pod)}
    return {}


def _pods(run_id: str, namespace: str | None) -> list[tuple[str, Any]]:
    from kubernetes import client

    selector = f"{RUN_LABEL}={run_id}"
    api = client.CoreV1Api(connect())
    bounds: dict[str, Any] = {"label_selector": selector, "_request_timeout": SECONDS, "limit": 500}
    listed = api.list_namespaced_pod(namespace, **bounds) if namespace else api.list_pod_for_all_namespaces(**bounds)
    named = [(_step(pod), pod) for pod in listed.items if (pod.metadata.annotations or {}).get(ROLE) == "launcher"]
    return [(step, pod) for step, pod in named if step]


def _step(pod: Any) -> str | None:
    """Return the step of a pod: the part of its node's path that names one."""
    path = str(pod.metadata.annotations.get(NODE, "")).split(".")
    parts = (part.partition("(")[0].replace("-", "_") for part in reversed(path))
    return next((part for part in parts if part in WORDS), None)


def _troubles(pod: Any) -> Iterator[str]:
    """Yield at most one: the first that is known."""
    status = pod.status
    if status.reason:  # Evicted, DeadlineExceeded, NodeLost
        yield f"{status.reason}: {_line(status.message)}"
        return
    for container in [*(status.init_container_statuses or []), *(status.container_statuses or [])]:
        ended, waiting = container.state.terminated, container.state.waiting
        if ended and ended.reason == "OOMKilled":
            yield f"its container {container.name} {OUT_OF_MEMORY} at its limit of {_memory(pod, container.name)}"
            return
        if waiting and waiting.reason not in HARMLESS:
            yield f"{waiting.reason}: {_line(waiting.message)}"
            return
    for condition in status.conditions or []:
        if condition.type == "PodScheduled" and condition.status == "False":
            yield f"{condition.reason}: {_line(condition.message)}"
            return


def _memory(pod: Any, name: str) -> str:
    limits = (one.resources.limits or {} for one in pod.spec.containers if one.name == name and one.resources)
    return str(next((limit["memory"] for limit in limits if "memory" in limit), "its node"))


def _line(message: str | None) -> str:
    return " ".join((message or "").split())[:240]
