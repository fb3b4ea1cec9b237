"""What the files of manifests/ say by themselves, without a server."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec

from components.contracts.steps.declared import PIPELINES
from components.shop.settings import load_shop
from pipelines.compiled import MANIFESTS as PIPELINE_FILES
from tests.manifests.overlays import MANIFESTS
from tests.manifests.pods import driver_pod, step_pods

LONGEST_FILE = 20
BUNDLE_LINE = re.compile(r"^  value: (sha256:[0-9a-f]{64})$", re.MULTILINE)
NETWORK = sorted((MANIFESTS / "base" / "namespace" / "network").iterdir())
POLICIES = {file.stem: yaml.safe_load(file.read_text())["spec"] for file in NETWORK}
SOURCES = [file for file in MANIFESTS.rglob("*.yaml") if MANIFESTS / "rendered" not in file.parents]
OPENINGS = sorted(set(POLICIES) - {"deny-all"})
NAMED_PORTS = {
    "to-dns": {53, 5353, 8053},
    "to-api-server": {443, 6443},
    "to-kubeflow": {8887, 8888, 8080},
    "schedules-to-kubeflow": {8888},
    "to-object-store": {8333},
    "to-redis": {6379},
    "to-sources": set[int](),
}


def test_files_of_overlays_are_short() -> None:
    files = [file for file in (MANIFESTS / "overlays").rglob("*") if file.is_file()]
    assert len(files) >= 3
    assert [file for file in files if len(file.read_text().splitlines()) > LONGEST_FILE] == []


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(MANIFESTS)))
def test_a_file_holds_one_resource(file: Path) -> None:
    assert len(re.findall(r"^---$", file.read_text(), re.MULTILINE)) == 0


def test_the_shop_file_is_one() -> None:
    shop = load_shop(MANIFESTS / "components" / "shop" / "shop.toml")
    assert shop.events


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_version_holds_what_kubeflow_knows(name: str) -> None:
    """Kubeflow's resource takes any specification; these are the types that its API server reads it by."""
    version = yaml.safe_load((PIPELINE_FILES / f"{name}-version.yaml").read_text())["spec"]
    json_format.ParseDict(version["pipelineSpec"], PipelineSpec())
    executors = version["platformSpec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(executors) == set(version["pipelineSpec"]["deploymentSpec"]["executors"])
    for executor in executors.values():
        json_format.ParseDict(executor, KubernetesExecutorConfig())


def test_kubeflow_lets_the_namespace_in() -> None:
    """Its own policies, as of Kubeflow Pipelines 2.17, know namespaces of users by this label."""
    namespace = yaml.safe_load((MANIFESTS / "base" / "namespace" / "namespace.yaml").read_text())
    assert namespace["metadata"]["labels"]["app.kubernetes.io/part-of"] == "kubeflow-profile"


def test_nothing_goes_in_or_out_of_any_pod_by_default() -> None:
    assert POLICIES["deny-all"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize("name", OPENINGS)
def test_an_opening_names_whom_it_leads_to_and_the_ports(name: str) -> None:
    policy = POLICIES[name]
    rules: list[dict[str, Any]] = policy.get("egress", [])
    assert policy["policyTypes"] == ["Egress"]
    assert all(rule["to"] and rule["ports"] for rule in rules)
    assert {port["port"] for rule in rules for port in rule["ports"]} == NAMED_PORTS[name]
    [text] = [file.read_text() for file in NETWORK if file.stem == name]
    assert re.match(rf"# [^\n]+\n(?:#[^\n]*\n)*apiVersion[^#]+?name: {name}\n", text), "say what it is for"


@pytest.mark.parametrize(
    ("labels", "openings"),
    [
        ({}, {"to-dns"}),
        (driver_pod()["metadata"]["labels"], {"to-dns", "to-api-server", "to-kubeflow"}),
        (
            {"app.kubernetes.io/part-of": "rankloop", "app.kubernetes.io/component": "service"},
            {"to-dns", "to-object-store", "to-redis"},
        ),
    ],
    ids=["any pod", "driver", "service"],
)
def test_each_kind_of_pod_has_its_openings_and_no_other(labels: dict[str, str], openings: set[str]) -> None:
    assert _openings(labels) == openings


def test_a_step_reaches_kubeflow_its_home_and_its_sources() -> None:
    for pod in step_pods():
        assert _openings(pod["metadata"]["labels"]) == set(OPENINGS) - {"schedules-to-kubeflow"}


def _openings(labels: dict[str, str]) -> set[str]:
    return {name for name in OPENINGS if _selects(POLICIES[name]["podSelector"], labels)}


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Return whether a selector of a policy matches labels, as far as these policies use selectors."""
    named = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return named and all(
        labels.get(rule["key"]) in rule["values"] if rule["operator"] == "In" else rule["key"] in labels
        for rule in selector.get("matchExpressions", [])
    )
