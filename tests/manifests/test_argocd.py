"""What Argo CD is given: every kind that Git deploys is allowed, waves are in order, and health is judged in Lua."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.rendering import MANIFESTS, environments
from tests.kubernetes.server import Cluster
from tests.manifests.health import HEALTH, judged, own_check
from tests.manifests.overlays import ADDING, component, overlay, rendered
from tests.manifests.overlays import MANIFESTS as SOURCES
from tests.manifests.test_service import named, resources_of

ENVIRONMENTS = environments(MANIFESTS)
CLUSTERS = sorted(folder.name for folder in (SOURCES / "clusters").iterdir())
CASES = [
    pytest.param(file.parent, case, id=f"{file.parent.name}-{Path(case['inputPath']).stem}")
    for file in sorted(HEALTH.rglob("health_test.yaml"))
    for case in yaml.safe_load(file.read_text())["tests"]
]
ARGOCD_CM = {"name": "argocd-cm", "namespace": "argocd"}
WAVE, HOOK = "argocd.argoproj.io/sync-wave", "argocd.argoproj.io/hook"


@cache
def cluster_folder(name: str) -> str:
    return rendered(SOURCES / "clusters" / name)


@pytest.mark.parametrize(("folder", "case"), CASES)
def test_health_is_judged_as_argo_cds_own_test_says(folder: Path, case: dict[str, Any]) -> None:
    resource = yaml.safe_load((folder / case["inputPath"]).read_text())
    assert f"{resource['apiVersion'].split('/')[0]}/{resource['kind']}" == f"{folder.parent.name}/{folder.name}"
    assert judged((folder / "health.lua").read_text(), resource) == case["healthStatus"]


@pytest.mark.parametrize("kind", ["Pipeline", "PipelineVersion"])
def test_argo_cd_gets_the_script_under_the_key_it_looks_for(kind: str) -> None:
    settings = named(cluster_folder(CLUSTERS[0]), "ConfigMap", "argocd-cm")["data"]
    script = own_check(kind)
    assert settings[f"resource.customizations.health.pipelines.kubeflow.org_{kind}"] == script


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_compiled_version_is_broken_until_kubeflow_has_seen_it(environment: str) -> None:
    script = own_check("PipelineVersion")
    for version in resources_of(overlay(environment)):
        if version["kind"] == "PipelineVersion":
            assert judged(script, version)["status"] == "Degraded"
            version = version | {"metadata": version["metadata"] | {"ownerReferences": [{"kind": "Pipeline"}]}}
            assert judged(script, version)["status"] == "Healthy"


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_cluster_is_applied_and_the_second_time_changes_nothing(argo_cluster: Cluster, name: str) -> None:
    argo_cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}})
    own = {"timeout.reconciliation": "60s"}
    argo_cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": ARGOCD_CM, "data": own})
    applied = argo_cluster.apply(cluster_folder(name), manager="rankloop")
    kinds = ("appprojects,applicationsets,configmaps", "--namespace=argocd")
    before = argo_cluster.get(*kinds)
    assert len(applied) == 3
    assert argo_cluster.apply(cluster_folder(name), manager="rankloop") == applied
    assert argo_cluster.get(*kinds) == before
    [settings] = [one for one in before if one["metadata"]["name"] == "argocd-cm"]
    assert settings["data"].items() > own.items(), "what is Argo CD's own stays"


def test_the_project_allows_every_kind_that_git_may_deploy_and_no_secret() -> None:
    project = named(cluster_folder(CLUSTERS[0]), "AppProject")["spec"]
    allowed = {(one["group"], one["kind"]) for one in project["namespaceResourceWhitelist"]}
    texts = [*map(overlay, ENVIRONMENTS), *map(component, ADDING)]
    deployed = {(_group(one), one["kind"]) for text in texts for one in resources_of(text)}
    assert deployed - allowed == {("", "Namespace")}
    assert project["clusterResourceWhitelist"] == [{"group": "", "kind": "Namespace"}]
    assert ("", "Secret") not in allowed


@pytest.mark.parametrize("name", CLUSTERS)
def test_an_application_is_made_of_each_folder(argo_cluster: Cluster, name: str) -> None:
    applications = named(cluster_folder(name), "ApplicationSet")["spec"]
    [generator] = applications["generators"]
    patterns = [one["path"] for one in generator["git"]["directories"]]
    folders = [folder for pattern in patterns for folder in SOURCES.parent.glob(pattern)]
    places = {str(folder.relative_to(SOURCES.parent)): folder.name for folder in folders}
    assert set() < set(places.values()) <= set(ENVIRONMENTS)
    template = applications["template"]
    spec = template["spec"]
    fields = {
        "name": template["metadata"]["name"],
        "path": spec["source"]["path"],
        "namespace": spec["destination"]["namespace"],
    }
    for path, environment in places.items():
        assert (SOURCES.parent / path).is_dir()
        values = {"path": {"path": path, "basename": environment}}
        made = {field: _filled(argo_cluster, text, values) for field, text in fields.items()}
        namespace = next(one for one in resources_of(overlay(environment)) if one["kind"] == "Namespace")
        assert made == {
            "name": f"rankloop-{environment}",
            "path": path,
            "namespace": namespace["metadata"]["name"],
        }
        application = {"metadata": {"name": made["name"], "namespace": "default"}, "spec": template["spec"]}
        argo_cluster.apply({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application"} | application)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_pipelines_come_before_the_service_and_the_service_before_the_schedules(environment: str) -> None:
    resources = resources_of(overlay(environment))
    waves = {one["kind"]: int(_annotations(one).get(WAVE, 0)) for one in resources}
    hooks = {one["kind"]: _annotations(one)[HOOK] for one in resources if HOOK in _annotations(one)}
    assert waves["Namespace"] <= waves["Pipeline"] < waves["PipelineVersion"] < waves["Rollout"]
    assert waves["Rollout"] < waves["HorizontalPodAutoscaler"] == max(waves.values())
    assert hooks == {"Job": "PostSync"}


def _filled(cluster: Cluster, text: str, values: dict[str, Any]) -> str:
    """Fill a Go template as the ApplicationSet controller does, by kubectl's own engine."""
    carrier = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "values"}} | values
    options = ("--dry-run=client", "--validate=false", "--filename=-", f"--output=go-template={text}")
    answer = cluster.kubectl("create", *options, document=json.dumps(carrier))
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def _group(resource: dict[str, Any]) -> str:
    group: str = resource["apiVersion"].rpartition("/")[0]
    return group


def _annotations(resource: dict[str, Any]) -> dict[str, str]:
    annotations: dict[str, str] = resource["metadata"].get("annotations", {})
    return annotations
