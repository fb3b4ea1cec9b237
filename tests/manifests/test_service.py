"""The service's manifests: what stands in the pod template, and what kustomize makes of its components."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.bundles.digest import NO_BUNDLE
from components.contracts.images import IMAGES_FILE, read_image
from components.contracts.metrics import REQUESTS_WAITING
from pipelines.commands.schedules import command
from pipelines.rendering import MANIFESTS, environments
from pipelines.schedules.schedule_file import read_schedules
from tests.kubernetes.server import Cluster
from tests.manifests.overlays import CHANGING, composed, moved, overlay
from tests.waiting import until

LABELS = {
    "app.kubernetes.io/name": "rankloop",
    "app.kubernetes.io/part-of": "rankloop",
    "app.kubernetes.io/component": "service",
}
DEFINED = {"AnalysisTemplate", "HTTPRoute", "Pipeline", "PipelineVersion", "PodMonitor", "Rollout", "ScaledObject"}
PLAIN = (["namespace", "service", "schedules"], ["images"])
NAMESPACE = "plain-service"


@cache
def resources_of(text: str) -> list[dict[str, Any]]:
    return list(yaml.load_all(text, yaml.CSafeLoader))


def named(text: str, kind: str, name: str = "rankloop") -> dict[str, Any]:
    """Return the one resource of a kind and a name."""
    [resource] = [one for one in resources_of(text) if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return resource


@pytest.mark.parametrize("environment", environments(MANIFESTS))
def test_an_environment_has_a_rollout_of_its_bundle(environment: str) -> None:
    resources = overlay(environment)
    rollout = named(resources, "Rollout")
    workloads = {one["kind"] for one in resources_of(resources) if one["metadata"]["name"] == "rankloop"}
    [container] = rollout["spec"]["template"]["spec"]["containers"]
    assert "Deployment" not in workloads
    assert container["env"][0] == {"name": "RANKLOOP_BUNDLE", "value": NO_BUNDLE}
    assert container["image"] == read_image(IMAGES_FILE, "serving")
    assert named(resources, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["kind"] == "Rollout"
    assert named(resources, "ConfigMap")["data"]["RANKLOOP_ENVIRONMENT"] == environment
    assert "replicas" not in rollout["spec"], "the autoscaler's, not Git's"


def test_a_cluster_adds_nothing_to_what_git_says_of_its_own_kinds(platform_cluster: Cluster) -> None:
    """Argo CD knows the defaults of Kubernetes' kinds only: of others, one inside a list is a difference for ever."""
    texts = overlay("production"), composed(["namespace", "service"], ["gateway", "images", "keda", "pod-monitor"])
    resources = [one for text in texts for one in moved(text, "defaults")]
    own = [one for one in resources if one["kind"] in DEFINED]
    assert {one["kind"] for one in own} == DEFINED
    platform_cluster.apply(next(one for one in resources if one["kind"] == "Namespace"), *own)
    for one in own:
        [live] = platform_cluster.get(one["kind"].lower(), one["metadata"]["name"], "--namespace=defaults")
        assert live["spec"] == one["spec"]


def test_every_selector_names_the_service_and_nothing_else() -> None:
    resources = overlay("production")
    spec = named(resources, "Rollout")["spec"]
    spread = [constraint["labelSelector"] for constraint in spec["template"]["spec"]["topologySpreadConstraints"]]
    selectors = [
        spec["selector"]["matchLabels"],
        named(resources, "Service")["spec"]["selector"],
        named(resources, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        named(resources, "NetworkPolicy", "into-service")["spec"]["podSelector"]["matchLabels"],
        *(selector["matchLabels"] for selector in spread),
    ]
    assert spec["template"]["metadata"]["labels"] == LABELS
    for selector in selectors:
        assert selector.items() <= LABELS.items()
        assert selector["app.kubernetes.io/component"] == "service"


def test_a_pod_has_time_to_drain_and_to_finish() -> None:
    template = named(overlay("production"), "Rollout")["spec"]["template"]["spec"]
    variables = {one["name"]: one["value"] for one in template["containers"][0]["env"]}
    assert 10 <= float(variables["RANKLOOP_DRAIN_SECONDS"]) <= template["terminationGracePeriodSeconds"] - 30


def test_without_rollouts_a_deployment_gets_its_pods(platform_cluster: Cluster) -> None:
    platform_cluster.apply(*moved(composed(*PLAIN), NAMESPACE))
    for component in ("service", "schedules"):
        selector = f"--selector=app.kubernetes.io/component={component}"
        until(lambda: platform_cluster.get("pods", f"--namespace={NAMESPACE}", selector))  # noqa: B023


def test_what_changes_others_changes_them_and_is_applied(platform_cluster: Cluster) -> None:
    resources = composed(["namespace", "service"], CHANGING)
    accounts = [one for one in resources_of(resources) if one["kind"] == "ServiceAccount"]
    metrics = named(resources, "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert len(accounts) > 3
    assert all(one["imagePullSecrets"] == [{"name": "registry"}] for one in accounts)
    assert [one["type"] for one in metrics] == ["Resource", "Pods"]
    assert metrics[1]["pods"]["metric"]["name"] == REQUESTS_WAITING.name
    platform_cluster.apply(*moved(resources, "changed-service"))


def test_the_job_of_the_schedules_has_what_its_command_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = overlay("staging")
    [container] = named(resources, "Job", "rankloop-schedules")["spec"]["template"]["spec"]["containers"]
    files = {name: named(resources, "ConfigMap", f"rankloop-{name}")["data"] for name in ("schedules", "images")}
    for data in files.values():
        for file, text in data.items():
            (tmp_path / file).write_text(text)
    for name in ("RANKLOOP_HOME", "RANKLOOP_ENVIRONMENT"):
        monkeypatch.setenv(name, named(resources, "ConfigMap")["data"][name])
    schedules = read_schedules(tmp_path / "schedules.toml").schedules
    assert {one.parameters["environment"] for one in schedules} == {"staging"}
    assert {one.parameters["home"] for one in schedules} == {"s3://rankloop/staging"}
    assert read_image(tmp_path / "images.toml", "steps") == container["image"]
    assert tomllib.loads(files["images"]["images.toml"]) == tomllib.loads(IMAGES_FILE.read_text())
    options = {option for parameter in command.params for option in parameter.opts}
    words = [*container["command"], *container["args"]]
    assert {word for word in words if word.startswith("--")} <= options
    [mount] = [one for one in container["volumeMounts"] if one["name"] == "token"]
    assert words[words.index("--token-file") + 1] == f"{mount['mountPath']}/token"


@pytest.mark.parametrize(("name", "kind"), [("ingress", "Ingress"), ("gateway", "HTTPRoute")])
def test_the_service_can_be_reached_from_outside(platform_cluster: Cluster, name: str, kind: str) -> None:
    resources = composed(["namespace", "service"], [name, "images"])
    policy = named(resources, "NetworkPolicy", f"{name}-into-service")
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= LABELS.items()
    assert named(resources, kind)
    platform_cluster.apply(*moved(resources, f"service-behind-{name}"))


def test_a_route_gives_the_canary_its_share(platform_cluster: Cluster) -> None:
    """Rollouts adds the hash of a pod template to the selector of each of the two Services."""
    resources = composed(["namespace", "service"], ["images", "canary", "gateway-canary"])
    canary = named(resources, "Rollout")["spec"]["strategy"]["canary"]
    [rule] = named(resources, "HTTPRoute")["spec"]["rules"]
    services = {name: named(resources, "Service", canary[f"{name}Service"]) for name in ("stable", "canary")}
    weights = {one["name"]: one["weight"] for one in rule["backendRefs"]}
    assert weights == {canary["stableService"]: 100, canary["canaryService"]: 0}
    assert canary["trafficRouting"]["plugins"] == {"argoproj-labs/gatewayAPI": {"httpRoute": "rankloop"}}
    for service in services.values():
        assert service["spec"] == named(resources, "Service")["spec"]
    platform_cluster.apply(*moved(resources, "service-behind-weights"))


@pytest.mark.parametrize("components", [["keda"], ["keda", "canary"]])
def test_keda_scales_what_the_autoscaler_scaled(platform_cluster: Cluster, components: list[str]) -> None:
    resources = composed(["namespace", "service"], ["images", *components])
    before = named(composed(["namespace", "service"], ["images", *components[1:]]), "HorizontalPodAutoscaler")["spec"]
    spec = named(resources, "ScaledObject")["spec"]
    assert "HorizontalPodAutoscaler" not in {one["kind"] for one in resources_of(resources)}
    assert spec["scaleTargetRef"] == before["scaleTargetRef"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (before["minReplicas"], before["maxReplicas"])
    assert spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == before["behavior"]
    cpu, requests = spec["triggers"]
    assert cpu["metadata"]["value"] == before["metrics"][0]["resource"]["target"]["averageValue"]
    assert REQUESTS_WAITING.name in requests["metadata"]["query"]
    platform_cluster.apply(*moved(resources, "service-with-keda"))


def test_the_prometheus_operator_keeps_the_label_that_the_analysis_asks_for(platform_cluster: Cluster) -> None:
    resources = composed(["namespace", "service"], ["images", "canary", "pod-monitor"])
    monitor = named(resources, "PodMonitor")["spec"]
    template = named(resources, "Rollout")["spec"]["template"]
    [label] = [re.sub(r"\W", "_", name) for name in monitor["podTargetLabels"]]
    [endpoint] = monitor["podMetricsEndpoints"]
    for metric in named(resources, "AnalysisTemplate", "rankloop-canary")["spec"]["metrics"]:
        selectors = re.findall(r"{([^{}]*){{args\.(?:canary|stable)}}", metric["provider"]["prometheus"]["query"])
        assert set(selectors) == {f'{label}="'}
    assert monitor["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert endpoint["port"] in {port["name"] for port in template["spec"]["containers"][0]["ports"]}
    platform_cluster.apply(*moved(resources, "service-with-a-monitor"))
