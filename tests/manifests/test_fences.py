"""Which pods the namespace admits: all that a run makes, under its quota, and none that could be root."""

from copy import deepcopy
from typing import Any

import pytest
import yaml

from components.contracts.steps.declared import PIPELINES
from tests.kubernetes.server import Cluster
from tests.manifests.overlays import moved, rendered
from tests.manifests.pods import driver_pod, plain_pod, step_pods
from tests.waiting import until

NAMESPACE = "fences"
HUGE = {"requests": {"cpu": "1", "memory": "8Gi"}, "limits": {"cpu": "4", "memory": "8Gi"}}


@pytest.fixture(scope="module")
def fenced(kubeflow_cluster: Cluster) -> Cluster:
    """Give a cluster with the local overlay, once its controllers have filled in the quota."""
    kubeflow_cluster.apply(*moved(kubeflow_cluster, rendered(kubeflow_cluster, "local"), NAMESPACE))
    until(lambda: "used" in kubeflow_cluster.get("quota", "rankloop", "--namespace", NAMESPACE)[0]["status"])
    return kubeflow_cluster


@pytest.fixture(autouse=True)
def _no_pods(fenced: Cluster) -> None:
    """Begin without pods, and with a quota that says so."""
    options = ("--all", "--now", "--wait", "--namespace", NAMESPACE)
    answer = fenced.kubectl("delete", "deployments,jobs,pods", *options)
    assert answer.returncode == 0, answer.stderr
    until(lambda: _used(fenced)["pods"] == "0")


def test_every_step_of_the_compiled_pipelines_is_admitted(fenced: Cluster) -> None:
    pods = step_pods()
    assert {pod["spec"]["serviceAccountName"] for pod in pods} == {f"rankloop-{name}" for name in PIPELINES}
    created = _created(fenced, *pods, options=("--dry-run=server",))
    assert len(created) == len(pods)
    for pod in created:
        assert all(container["resources"]["limits"] for container in pod["spec"]["containers"])


def test_two_runs_fit_into_the_quota_with_their_largest_steps(fenced: Cluster) -> None:
    largest = max(step_pods(), key=lambda pod: pod["spec"]["containers"][0]["resources"]["limits"]["memory"])
    for number in range(2):
        largest["metadata"]["name"] = f"largest-{number}"
        _created(fenced, driver_pod(), largest)


def test_containers_that_name_no_resources_get_the_default(fenced: Cluster) -> None:
    driver = driver_pod()
    driver["spec"]["containers"][0]["resources"] = {}
    [created] = _created(fenced, driver)
    containers = created["spec"]["containers"] + created["spec"]["initContainers"]
    for container in containers:
        assert container["resources"] == {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "500m", "memory": "512Mi"},
        }


def test_a_pod_without_an_account_gets_no_token(fenced: Cluster) -> None:
    [created] = _created(fenced, plain_pod())
    assert not any("projected" in volume for volume in created["spec"].get("volumes", []))
    [created] = _created(fenced, driver_pod())
    assert any("projected" in volume for volume in created["spec"]["volumes"])


@pytest.mark.parametrize(
    "changed",
    [
        {"runAsNonRoot": False},
        {"runAsUser": 0},
        {"privileged": True, "allowPrivilegeEscalation": True},
        {"allowPrivilegeEscalation": True},
        {"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}},
        {"capabilities": {}},
        {"seccompProfile": {"type": "Unconfined"}},
    ],
    ids=str,
)
def test_a_pod_that_could_be_root_is_refused(fenced: Cluster, changed: dict[str, Any]) -> None:
    pod = plain_pod()
    pod["spec"]["containers"][0]["securityContext"] |= changed
    with pytest.raises(RuntimeError, match=r'violates PodSecurity "restricted'):
        _created(fenced, pod)


@pytest.mark.parametrize(
    "changed",
    [
        {"hostNetwork": True},
        {"hostPID": True},
        {"volumes": [{"name": "root", "hostPath": {"path": "/"}}]},
    ],
    ids=str,
)
def test_a_pod_that_reaches_for_its_node_is_refused(fenced: Cluster, changed: dict[str, Any]) -> None:
    pod = plain_pod()
    pod["spec"] |= changed
    with pytest.raises(RuntimeError, match=r'violates PodSecurity "restricted'):
        _created(fenced, pod)


def test_a_pod_over_the_quota_is_refused(fenced: Cluster) -> None:
    _created(fenced, *(plain_pod(resources=HUGE) for _ in range(3)))
    with pytest.raises(RuntimeError, match="exceeded quota: rankloop"):
        _created(fenced, plain_pod(resources=HUGE))


def test_a_container_larger_than_any_step_is_refused(fenced: Cluster) -> None:
    larger = deepcopy(HUGE)
    larger["limits"]["memory"] = "9Gi"
    with pytest.raises(RuntimeError, match="maximum memory usage per Container is 8Gi"):
        _created(fenced, plain_pod(resources=larger))


@pytest.mark.parametrize("kind", ["Job", "Deployment"])
def test_controllers_make_the_pods_of_our_code(fenced: Cluster, kind: str) -> None:
    pod = plain_pod()
    labels = {"app.kubernetes.io/name": "ours"}
    template = {"metadata": {"labels": labels}, "spec": pod["spec"]}
    specification: dict[str, Any] = {"template": template}
    if kind == "Job":
        pod["spec"]["restartPolicy"] = "Never"
    else:
        specification["selector"] = {"matchLabels": labels}
    group = {"Job": "batch/v1", "Deployment": "apps/v1"}[kind]
    _created(fenced, {"apiVersion": group, "kind": kind, "metadata": {"name": "ours"}, "spec": specification})
    until(lambda: bool(fenced.get("pods", "--namespace", NAMESPACE, "--selector=app.kubernetes.io/name=ours")))


def _created(cluster: Cluster, *resources: dict[str, Any], options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Create resources and return what the server made of them.

    Raises:
        RuntimeError: what the server said against them.
    """
    command = ("create", f"--namespace={NAMESPACE}", "--output=yaml", "--filename=-", *options)
    answer = cluster.kubectl(*command, document=yaml.safe_dump_all(resources))
    if answer.returncode:
        raise RuntimeError(answer.stderr)
    return list(yaml.safe_load_all(answer.stdout))


def _used(cluster: Cluster) -> dict[str, str]:
    return cluster.get("quota", "rankloop", "--namespace", NAMESPACE)[0]["status"]["used"]
