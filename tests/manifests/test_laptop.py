"""What `make cluster` installs and deploys, as far as an API server without nodes takes it."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from pipelines import rendering
from tests.kubernetes.programs import program
from tests.kubernetes.server import Cluster
from tests.manifests.overlays import MANIFESTS, rendered
from tests.manifests.test_service import named, resources_of

LAPTOP = MANIFESTS / "laptop"
PARTS = sorted(folder.name for folder in (LAPTOP / "platform").iterdir())
PINNED = re.compile(r"https://\S+(/v\d+\.\d+\.\d+/\S+|\?ref=v?\d+\.\d+\.\d+&timeout=300s)")
KIND = yaml.safe_load((LAPTOP / "kind.yaml").read_text())


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Render the environment of the cluster, the only one in a copy of manifests/."""
    copy = tmp_path_factory.mktemp("laptop") / "manifests"
    shutil.copytree(MANIFESTS, copy, ignore=shutil.ignore_patterns("rendered", "overlays"))
    folder = shutil.copytree(LAPTOP / "environment", copy / "overlays" / "laptop")
    shutil.copy(MANIFESTS / "components/shop/shop.toml", folder)
    return [one.text for one in rendering.rendered_resources(str(program("kubectl")), copy)]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Render each part of the platform without what comes from elsewhere."""
    folder = tmp_path_factory.mktemp("platform")
    return {name: local_part(name, folder) for name in PARTS}


def local_part(name: str, folder: Path) -> str:
    """Render a part's own resources, and check how others are named."""
    part = shutil.copytree(LAPTOP / "platform" / name, folder / name)
    document = yaml.safe_load((part / "kustomization.yaml").read_text())
    remote = [one for one in document["resources"] if one.startswith("https://")]
    assert all(PINNED.fullmatch(one) for one in remote), "a version that does not move"
    document["resources"] = [one for one in document["resources"] if one not in remote]
    if remote:
        document.pop("patches", None)  # of what is not there
    (part / "kustomization.yaml").write_text(yaml.safe_dump(document))
    return rendered(part) if document["resources"] else ""


def test_the_platform_is_applied(cluster: Cluster, parts: dict[str, str]) -> None:
    resources = [one for text in parts.values() for one in resources_of(text) if one]
    namespaces = [one for one in resources if one["kind"] == "Namespace"]
    assert len(namespaces) == 5
    cluster.apply(*namespaces)
    cluster.apply(*(one for one in resources if one not in namespaces))


def test_the_environment_is_applied(platform_cluster: Cluster, environment: list[str]) -> None:
    documents = [one for text in environment for one in resources_of(text)]
    platform_cluster.apply(*sorted(environment, key=lambda text: "\nkind: Namespace\n" not in text))
    assert {one["metadata"].get("namespace") for one in documents} == {None, "rankloop-laptop"}
    assert named("\n---\n".join(environment), "ConfigMap")["data"]["RANKLOOP_ENVIRONMENT"] == "laptop"


def test_each_door_leads_from_a_port_of_this_machine_to_one_service(
    environment: list[str], parts: dict[str, str]
) -> None:
    texts = [*environment, *parts.values()]
    services = [one for text in texts for one in resources_of(text) if one and one["kind"] == "Service"]
    doors = [port["nodePort"] for one in services for port in one["spec"]["ports"] if "nodePort" in port]
    mapped = KIND["nodes"][0]["extraPortMappings"]
    assert sorted(doors) == sorted(one["containerPort"] for one in mapped)
    assert all(one["listenAddress"] == "127.0.0.1" for one in mapped)


def test_a_version_can_be_waited_for_before_it_is_there(platform_cluster: Cluster) -> None:
    metadata = {"name": "training-0123456789ab", "namespace": "waited-for"}
    spec = {"pipelineName": "training", "pipelineSpec": {"schemaVersion": "2.1.0"}}
    version = {"apiVersion": "pipelines.kubeflow.org/v2beta1", "kind": "PipelineVersion", "metadata": metadata}
    words = ("wait", "pipelineversion/training-0123456789ab", "--for", "create", "--namespace", "waited-for")
    platform_cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "waited-for"}})
    assert "timed out" in platform_cluster.kubectl(*words, "--timeout", "1ms").stderr
    platform_cluster.apply(version | {"spec": spec})
    assert platform_cluster.kubectl(*words, "--timeout", "1m").returncode == 0
