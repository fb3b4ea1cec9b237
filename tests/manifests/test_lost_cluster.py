"""A lost cluster: an empty API server and Git come to the same resources, and the page names what Git does not hold."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import COMMANDS
from pipelines.rendering import MANIFESTS, environments
from tests.kubernetes.modules import ROLLOUTS, definitions
from tests.kubernetes.server import Cluster, kubernetes_server
from tests.manifests.conftest import defined
from tests.manifests.overlays import KUBEFLOW, component, overlay
from tests.manifests.test_service import named, resources_of
from tests.waiting import until

PAGE = (Path(__file__).parents[2] / "docs" / "lost-cluster.md").read_text()
NAMESPACE = "rankloop"  # of production
OF_THE_SERVER = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")
GIVEN_BY_THE_SERVER = re.compile(r"\b10\.0\.0\.\d+\b")  # a Service's address


@pytest.fixture
def empty_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Run a second cluster, in which nothing is but the kinds of the platform."""
    with kubernetes_server(tmp_path) as server:
        yield defined(server, KUBEFLOW.read_text(), definitions(ROLLOUTS))


def test_git_makes_the_same_resources_in_an_empty_cluster(platform_cluster: Cluster, empty_cluster: Cluster) -> None:
    folder = MANIFESTS / "rendered" / "production"
    for cluster in (platform_cluster, empty_cluster):
        cluster.apply(overlay("production"))
    lost, rebuilt = (_resources(cluster, folder) for cluster in (platform_cluster, empty_cluster))
    assert len(rebuilt) == len(list(folder.iterdir()))
    assert rebuilt == lost


def test_the_rows_are_written_by_one_command(platform_cluster: Cluster) -> None:
    platform_cluster.apply(overlay("production"))
    [command] = re.findall(r"kubectl (create job .+)", PAGE)
    made = platform_cluster.kubectl(*command.split())
    assert made.returncode == 0, made.stderr
    selector = ("pods", f"--namespace={NAMESPACE}", "--selector=app.kubernetes.io/component=rows")
    until(lambda: platform_cluster.get(*selector))
    [pod] = platform_cluster.get(*selector)
    program, word = pod["spec"]["containers"][0]["command"]
    assert (program, word in COMMANDS) == ("rankloop", True)
    [cronjob] = platform_cluster.get("cronjob", "rankloop-rows", f"--namespace={NAMESPACE}")
    assert cronjob["spec"]["suspend"], "it never runs by itself"


@pytest.mark.parametrize("environment", environments(MANIFESTS))
def test_the_page_names_every_secret_that_a_pod_or_a_door_asks_for(environment: str) -> None:
    texts = [overlay(environment), component("ingress")]
    asked = {secret for text in texts for one in resources_of(text) for secret in _secrets(one)} | {"registry"}
    rows = re.findall(r"^   \| ((?:`[a-z-]+`(?:, )?)+) \|", PAGE, re.MULTILINE)
    assert asked == {secret for row in rows for secret in re.findall(r"`([a-z-]+)`", row)}


def test_the_page_names_every_kind_of_configuration_that_git_brings() -> None:
    """What a pod must find, Git holds; what is optional there, an overlay adds."""
    resources = overlay("production")
    held = {one["metadata"]["name"] for one in resources_of(resources) if one["kind"] == "ConfigMap"}
    spec = named(resources, "Rollout")["spec"]["template"]["spec"]
    maps = [volume["configMap"] for volume in spec["volumes"] if "configMap" in volume]
    assert all(one.get("optional") or one["name"] in held for one in maps)
    assert {one["configMapRef"]["name"] for one in spec["containers"][0]["envFrom"] if "configMapRef" in one} <= held


def _resources(cluster: Cluster, folder: Path) -> dict[str, Any]:
    """Return what a cluster has of a folder's resources, without what the server itself writes."""
    live = cluster.get(f"--filename={folder}")
    return {f"{one['kind']}/{one['metadata']['name']}": _plain(one) for one in live}


def _plain(resource: dict[str, Any]) -> dict[str, Any]:
    metadata = {name: value for name, value in resource["metadata"].items() if name not in OF_THE_SERVER}
    text = json.dumps({name: value for name, value in resource.items() if name != "status"} | {"metadata": metadata})
    plain: dict[str, Any] = json.loads(
        GIVEN_BY_THE_SERVER.sub("ADDRESS", text).replace(resource["metadata"]["uid"], "UID")
    )
    return plain


def _secrets(node: Any) -> Iterator[str]:
    """Yield the names of the Secrets that something refers to, in Kubernetes' words or in KFP's."""
    if isinstance(node, list):
        for one in node:
            yield from _secrets(one)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "secretName" and isinstance(value, str):
                yield value
            elif key in ("secretRef", "secretKeyRef"):
                yield value["name"]
            else:
                yield from _secrets(value)
