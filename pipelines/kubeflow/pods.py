"""Why a run on Kubeflow waits or failed: KFP says which tasks failed, and their pods, where they can be seen, why.

KFP 2.17 leaves no message in a task that failed. What the step itself had to say stands in the run's home; a step whose
pod never began, or was killed for its memory, could say nothing. A pod that the API server refuses, as with a full
quota, is never there: Argo notes it in its workflow, and tries again or gives up.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from kfp.client import Client

from components.contracts.steps.declared import WORDS, steps_of
from pipelines.cluster.api import connect
from pipelines.cluster.namespace import advice_for

RUN_LABEL = "pipeline/runid"
NODE = "workflows.argoproj.io/node-name"
WORKFLOWS = ("argoproj.io", "v1alpha1")
NOT_BEGUN, REFUSED = ("Pending", "Error"), " is forbidden: "  # of a node, and of the API server's words in it
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
            troubles = {step: trouble for step, pod in _pods(run_id, place) for trouble in _troubles(pod)}
            return _refused_pods(run_id, place) | troubles
    return {}


def _bounds(run_id: str) -> dict[str, Any]:
    return {"label_selector": f"{RUN_LABEL}={run_id}", "_request_timeout": SECONDS, "limit": 500}


def _pods(run_id: str, namespace: str | None) -> list[tuple[str, Any]]:
    from kubernetes import client

    api, bounds = client.CoreV1Api(connect()), _bounds(run_id)
    listed = api.list_namespaced_pod(namespace, **bounds) if namespace else api.list_pod_for_all_namespaces(**bounds)
    named = [(step_of((pod.metadata.annotations or {}).get(NODE, "")), pod) for pod in listed.items]
    return [(step, pod) for step, pod in named if step]  # others are Kubeflow's, for graphs of steps


def _refused_pods(run_id: str, namespace: str | None) -> dict[str, str]:
    """Return by step why the API server does not take its pod, or that of KFP's driver before it."""
    with suppress(Exception):  # who may see pods may not see workflows
        nodes = [node for workflow in _workflows(run_id, namespace) for node in workflow["status"]["nodes"].values()]
        refusals = {step_of(node["name"]): node.get("message", "") for node in nodes if node["phase"] in NOT_BEGUN}
        return {step: _refusal(words) for step, words in refusals.items() if step and REFUSED in words}
    return {}


def _workflows(run_id: str, namespace: str | None) -> list[dict[str, Any]]:
    from kubernetes import client

    api, bounds = client.CustomObjectsApi(connect()), _bounds(run_id)
    listed: dict[str, Any] = (
        api.list_namespaced_custom_object(*WORKFLOWS, namespace, "workflows", **bounds)
        if namespace
        else api.list_cluster_custom_object(*WORKFLOWS, "workflows", **bounds)
    )
    return list(listed["items"])


def _refusal(words: str) -> str:
    refused = _line(words.partition(REFUSED)[2])
    return f"its pod is refused: {refused}; {advice_for(refused)}"


def step_of(path: str) -> str | None:
    """Return the step of a node of Argo's: the part of its path that names one, or KFP's driver of one."""
    parts = (part.partition("(")[0].removesuffix("-driver").replace("-", "_") for part in reversed(path.split(".")))
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


def failure_of(client: Client, run_id: str, pipeline: str, namespace: str | None) -> str | None:
    """Return in one line which steps of a run failed, and what became of their pods; None where KFP does not say."""
    run = client.get_run(run_id)
    failed = list(dict.fromkeys(_failed(run, pipeline)))
    troubles = pod_troubles(run_id, namespace)
    named = [f"{step}: {troubles[step]}" if step in troubles else step for step in failed]
    message = (run.error.message if run.error else None) or ""
    said = "; ".join([*named, *([message] if message else [])])
    return said or None


def _failed(run: Any, pipeline: str) -> Iterator[str]:
    """Yield the steps that failed, or whose driver did; KFP also lists executors and graphs, and each of them twice."""
    known = steps_of(pipeline)
    for task in (run.run_details.task_details if run.run_details else None) or []:
        step = str(task.display_name).partition("(")[0].removesuffix("-driver").replace("-", "_")
        if step in known and task.state == "FAILED":
            yield step
