"""The objects of Argo Rollouts with the fields that its controller writes (1.8.3 and 1.9.0)."""

from typing import Any

from tests.git_server import ROLLOUT_YAML

Document = dict[str, Any]
STABLE_HASH, CANARY_HASH = "5d8f7c6b9d", "7bb5f9c4fd"
ROLLOUT_UID, RUN_UID = "0c2ff5a8-6b3a-4f0e-9a51-3a9a64d9f3a1", "b7a1c0a2-52a8-4a6f-8a0e-0d7f3d0a8e11"
RUN = f"rankloop-{CANARY_HASH}-2"
IMAGE = ROLLOUT_YAML.rpartition("image: ")[2].strip()
ABORTED_AT = "2026-06-10T11:59:30Z"
CONDITION = "len(result) > 0 && result[0] <= {{args.errors}}"


def template(bundle: str, image: str = IMAGE) -> Document:
    """Return a pod template that names a bundle."""
    container = {"name": "rankloop", "image": image, "env": [{"name": "RANKLOOP_BUNDLE", "value": bundle}]}
    return {"metadata": {"labels": {"app.kubernetes.io/component": "service"}}, "spec": {"containers": [container]}}


def rollout(bundle: str, status: Document, image: str = IMAGE) -> Document:
    """Return the Rollout, whose newest generation the controller has seen."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "rankloop", "uid": ROLLOUT_UID, "generation": 4},
        "spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/component": "service"}},
            "strategy": {"canary": {"steps": [{"setWeight": 10}, {"pause": {"duration": "5m"}}]}},
            "template": template(bundle, image),
        },
        "status": {"observedGeneration": "4"} | status,
    }


def replica_set(pod_hash: str, bundle: str, image: str = IMAGE) -> Document:
    """Return the ReplicaSet of a pod template."""
    labels = {"app.kubernetes.io/component": "service", "rollouts-pod-template-hash": pod_hash}
    made = template(bundle, image)
    made["metadata"]["labels"] = labels
    specification = {"replicas": 0, "selector": {"matchLabels": labels}, "template": made}
    metadata = {"name": f"rankloop-{pod_hash}", "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": specification}


def analysis_run(phase: str, *results: Document, uid: str = RUN_UID, name: str = RUN) -> Document:
    """Return the AnalysisRun of the canary, owned by the Rollout."""
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "rankloop", "uid": ROLLOUT_UID}
    metrics = [{"name": each["name"], "successCondition": CONDITION, "provider": {}} for each in results]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {
            "name": name,
            "uid": uid,
            "creationTimestamp": "2026-06-10T11:54:00Z",
            "labels": {"rollouts-pod-template-hash": CANARY_HASH, "rollout-type": "Background"},
            "annotations": {"rollout.argoproj.io/revision": "2"},
            "ownerReferences": [owner | {"controller": True, "blockOwnerDeletion": True}],
        },
        "spec": {"metrics": metrics, "args": [{"name": "errors", "value": "0.01"}]},
        "status": {"phase": phase, "metricResults": list(results), "startedAt": "2026-06-10T11:54:00Z"},
    }


def result(name: str, phase: str, *values: str, **more: Any) -> Document:
    """Return a metric's result; each value is a measurement, the last of the metric's phase."""
    measurements = [
        {"phase": phase if number == len(values) else "Successful", "value": value, "finishedAt": ABORTED_AT}
        for number, value in enumerate(values, 1)
    ]
    return {"name": name, "phase": phase, "measurements": measurements, "count": len(values)} | more


def status_at_work() -> Document:
    """Return the status of a Rollout whose canary is at work."""
    return {
        "phase": "Paused",
        "message": "CanaryPauseStep",
        "currentPodHash": CANARY_HASH,
        "stableRS": STABLE_HASH,
        "controllerPause": True,
        "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-06-10T11:54:00Z"}],
        "canary": {"currentBackgroundAnalysisRunStatus": {"name": RUN, "status": "Running"}},
    }


def status_aborted(phase: str, name: str = RUN) -> Document:
    """Return the status of a Rollout whose canary was aborted, with the phase of its analysis."""
    message = "RolloutAborted: Rollout aborted update to revision 2"
    return {
        "phase": "Degraded",
        "message": message,
        "abort": True,
        "abortedAt": ABORTED_AT,
        "currentPodHash": CANARY_HASH,
        "stableRS": STABLE_HASH,
        "canary": {"currentBackgroundAnalysisRunStatus": {"name": name, "status": phase}},
    }


def status_through(pod_hash: str = CANARY_HASH) -> Document:
    """Return the status of a Rollout all of whose pods are the stable ones."""
    return {"phase": "Healthy", "currentPodHash": pod_hash, "stableRS": pod_hash, "canary": {}}
