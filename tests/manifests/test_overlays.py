"""Each overlay is applied by the server itself, strictly; again without a change; and over an earlier release."""

import os
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from tests.kubernetes.server import Cluster
from tests.manifests.overlays import MANIFESTS, OVERLAYS, RELEASED, moved, overlay, rendered

PAGE = Path(__file__).parents[2] / "docs" / "kubernetes.md"


@pytest.fixture
def namespace() -> str:
    return f"overlay-{uuid4().hex[:8]}"


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_is_applied_and_the_second_time_changes_nothing(platform_cluster: Cluster, name: str) -> None:
    resources = overlay(name)
    applied = platform_cluster.apply(resources)
    before = _as_applied(platform_cluster, resources)
    assert len(before) == len(applied) > 20
    assert platform_cluster.apply(resources) == applied
    assert _as_applied(platform_cluster, resources) == before


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_is_applied_over_the_last_release(platform_cluster: Cluster, namespace: str, name: str) -> None:
    platform_cluster.apply(*moved(RELEASED.read_text(), namespace))
    platform_cluster.apply(*moved(overlay(name), namespace))


def test_the_overlay_of_the_page_is_applied(platform_cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    [example] = re.findall(r"```yaml\n(.*?resources: \[../local\].*?)```", PAGE.read_text(), re.DOTALL)
    local = os.path.relpath(MANIFESTS / "overlays" / "local", tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(example.replace("../local", local))
    resources = moved(rendered(tmp_path), namespace)
    platform_cluster.apply(*resources)
    changed = {resource["metadata"]["name"]: resource for resource in resources if resource["kind"] != "Namespace"}
    assert changed["to-redis"]["spec"]["egress"][0]["ports"] == [{"port": 6379}]


@pytest.mark.parametrize("name", ["ingress", "gateway"])
def test_the_way_in_of_the_page_is_applied(
    platform_cluster: Cluster, namespace: str, tmp_path: Path, name: str
) -> None:
    text = (PAGE.parent / "gitops.md").read_text()
    [example] = re.findall(rf"```yaml\n(components: \[../../components/{name}\].*?)```", text, re.DOTALL)
    here = os.path.relpath(MANIFESTS, tmp_path.resolve())
    bases = f"resources: [{here}/base/namespace, {here}/base/service]\n"
    (tmp_path / "kustomization.yaml").write_text(bases + example.replace("../..", here))
    resources = moved(rendered(tmp_path), namespace)
    platform_cluster.apply(*resources)
    [way] = [one["spec"] for one in resources if one["kind"] in ("Ingress", "HTTPRoute")]
    hosts = way.get("hostnames") or [way["rules"][0]["host"], *way["tls"][0]["hosts"]]
    assert set(hosts) == {"ranking.shop.example"}


def test_an_upgrade_that_changes_an_immutable_field_is_refused(platform_cluster: Cluster, namespace: str) -> None:
    resources = moved(RELEASED.read_text(), namespace)
    platform_cluster.apply(*resources)
    binding = next(resource for resource in resources if resource["kind"] == "RoleBinding")
    binding["roleRef"]["name"] = "another"
    with pytest.raises(RuntimeError, match="cannot change roleRef"):
        platform_cluster.apply(binding)


@pytest.mark.parametrize("kind", ["NetworkPolicy", "PipelineVersion"])
def test_a_field_that_nobody_knows_is_refused(platform_cluster: Cluster, namespace: str, kind: str) -> None:
    resources = moved(overlay("production"), namespace)
    platform_cluster.apply(next(resource for resource in resources if resource["kind"] == "Namespace"))
    resource = next(resource for resource in resources if resource["kind"] == kind)
    resource["spec"]["unheardOf"] = "x"
    with pytest.raises(RuntimeError, match="unheardOf"):
        platform_cluster.apply(resource)


def test_a_pipeline_version_is_never_changed(platform_cluster: Cluster, namespace: str) -> None:
    resources = moved(overlay("production"), namespace)
    platform_cluster.apply(*resources)
    version = next(resource for resource in resources if resource["kind"] == "PipelineVersion")
    version["spec"]["pipelineSpec"]["defaultPipelineRoot"] = "s3://another"
    with pytest.raises(RuntimeError, match="immutable"):
        platform_cluster.apply(version)


def _as_applied(cluster: Cluster, resources: str) -> dict[tuple[str, str], Any]:
    """Return each resource as the server has it, without what controllers write meanwhile: a quota's status."""
    command = ("get", "--ignore-not-found", "--show-managed-fields", "--output=yaml", "--filename=-")
    answer = cluster.kubectl(*command, document=resources)
    assert answer.returncode == 0, answer.stderr
    items = (yaml.safe_load(answer.stdout) or {"items": []})["items"]
    return {(item["kind"], item["metadata"]["name"]): _without_status(item) for item in items}


def _without_status(item: dict[str, Any]) -> dict[str, Any]:
    """Return a resource without its status and what changes with that; when it was applied, and by whom, stays."""
    metadata = {name: value for name, value in item["metadata"].items() if name != "resourceVersion"}
    metadata["managedFields"] = [each for each in metadata["managedFields"] if each.get("subresource") != "status"]
    return {name: value for name, value in item.items() if name != "status"} | {"metadata": metadata}
