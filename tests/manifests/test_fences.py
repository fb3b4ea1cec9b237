"""Which pods the namespace admits: all that a run makes, under its quota, and none that could be root."""

from copy import deepcopy
from typing import Any

import pytest
import yaml

from components.contracts.steps.declared import PIPELINES
from tests.kubernetes.server import Cluster
from tests.manifests.overlays import component, moved, overlay
from tests.manifests.pods import driver_pod, plain_pod, step_pods
from tests.waiting import until

NAMESPACE, CONTROLLED = "fences", "fences-with-controllers"
HUGE = {"requests": {"cpu": "1", "memory": "8Gi"}, "limits": {"cpu": "4", "memory": "8Gi"}}


@pytest.fixture(scope="module")
def fenced(platform_cluster: Cluster) -> Cluster:
    """Give a cluster with the local overlay in two namespaces."""
    for namespace in (NAMESPACE, CONTROLLED):
        platform_cluster.apply(*moved(overlay("local"), namespace))
    return platform_cluster


@pytest.fixture(autouse=True)
def _no_pods(fenced: Cluster) -> None:
    """Begin without pods, and with a quota that says so."""
    answer = fenced.kubectl("delete", "pods", "--all", "--now", "--wait", f"--namespace={NAMESPACE}")
    assert answer.returncode == 0, answer.stderr
    until(lambda: _used_pods(fenced) == "0")


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


def test_the_redis_of_the_component_gets_its_pod(fenced: Cluster) -> None:
    fenced.apply(*moved(component("redis"), CONTROLLED))
    until(lambda: _has_a_pod(fenced, "redis"))


@pytest.mark.parametrize(("kind", "group"), [("Job", "batch/v1"), ("Deployment", "apps/v1")])
def test_controllers_make_the_pods_of_our_code(fenced: Cluster, kind: str, group: str) -> None:
    name = kind.lower()
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "rankloop"}
    template = {"metadata": {"labels": labels}, "spec": plain_pod()["spec"]}
    selector = {"selector": {"matchLabels": labels}} if kind == "Deployment" else {}
    restart = {"restartPolicy": "Never"} if kind == "Job" else {}
    template["spec"] |= restart
    metadata = {"name": name, "namespace": CONTROLLED}
    fenced.apply({"apiVersion": group, "kind": kind, "metadata": metadata, "spec": {"template": template} | selector})
    until(lambda: _has_a_pod(fenced, name))


def _has_a_pod(cluster: Cluster, name: str) -> bool:
    return bool(cluster.get("pods", f"--namespace={CONTROLLED}", f"--selector=app.kubernetes.io/name={name}"))


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


def _used_pods(cluster: Cluster) -> str | None:
    """Return how many pods the quota counts; nothing until a controller has counted."""
    [quota] = cluster.get("quota", "rankloop", f"--namespace={NAMESPACE}")
    return quota.get("status", {}).get("used", {}).get("pods")
