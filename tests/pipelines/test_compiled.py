"""The compiled pipelines: committed, current, and the same bytes whenever they are compiled."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contracts.images import IMAGES_FILE
from components.contracts.steps.declared import PIPELINES, WORDS, steps_of
from pipelines import cli
from pipelines.compiled import (
    MANIFESTS,
    Resource,
    compile_package,
    compiled_images,
    compiled_order,
    compiled_resources,
    step_order,
)
from tests.pipelines.homes.tiny_shop import rankloop, the_one_line


@pytest.fixture(scope="module")
def resources() -> list[Resource]:
    return compiled_resources()


def test_committed_files_are_current(resources: list[Resource]) -> None:
    every = [*resources, *compiled_images(), compiled_order()]
    assert [resource.path for resource in every if resource.is_stale] == []
    assert set(MANIFESTS.iterdir()) == {resource.path for resource in resources}


def test_compiling_again_gives_the_same_bytes(resources: list[Resource]) -> None:
    assert [resource.text for resource in compiled_resources()] == [resource.text for resource in resources]


def test_a_version_is_named_by_its_content_and_kept(resources: list[Resource]) -> None:
    documents = [yaml.safe_load(resource.text) for resource in resources if resource.path.suffix == ".yaml"]
    versions = [document for document in documents if document["kind"] == "PipelineVersion"]
    assert len(versions) == len(PIPELINES)
    for version in versions:
        pipeline = version["spec"]["pipelineName"]
        assert version["metadata"]["name"].startswith(f"{pipeline}-")
        assert version["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=false"
        assert version["metadata"]["annotations"]["argocd.argoproj.io/compare-options"] == "IgnoreExtraneous"


@pytest.mark.parametrize("name", PIPELINES)
def test_the_order_of_steps_is_that_of_the_pipeline(tmp_path: Path, name: str) -> None:
    specification, _ = compile_package(name, tmp_path / "pipeline.yaml")
    executors = specification["deploymentSpec"]["executors"]
    steps = steps_of(name)
    assert {executor.removeprefix("exec-").replace("-", "_") for executor in executors} == set(steps) <= set(WORDS)
    assert list(steps) == step_order(name)
    for component in specification["components"].values():
        for task, details in component.get("dag", {}).get("tasks", {}).items():
            needed = [steps.index(name.replace("-", "_")) for name in details.get("dependentTasks", [])]
            assert max(needed, default=-1) < steps.index(task.replace("-", "_"))


def test_every_step_is_one_image_by_digest_and_installs_nothing(tmp_path: Path) -> None:
    for name in PIPELINES:
        specification, _ = compile_package(name, tmp_path / "pipeline.yaml")
        for executor in specification["deploymentSpec"]["executors"].values():
            assert "@sha256:" in executor["container"]["image"]
            assert "pip install" not in " ".join(executor["container"]["command"])


def test_every_task_has_limits_a_deadline_and_a_user_and_is_tried_again(tmp_path: Path) -> None:
    for name in PIPELINES:
        specification, platform = compile_package(name, tmp_path / "pipeline.yaml")
        executors = specification["deploymentSpec"]["executors"]
        assert int(platform["platforms"]["kubernetes"]["pipelineConfig"]["resourceTtlOnCompletion"]) == 3 * 86_400
        on_kubernetes = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        assert set(executors) == set(on_kubernetes)
        for name_, executor in executors.items():
            resources = executor["container"]["resources"]
            assert resources["resourceMemoryRequest"] == resources["resourceMemoryLimit"]
            assert {"resourceCpuRequest", "resourceCpuLimit"} < set(resources)
            described = on_kubernetes[name_]
            assert described["securityContext"] == {"runAsUser": "10001", "runAsGroup": "0", "runAsNonRoot": True}
            assert int(described["activeDeadlineSeconds"]) >= 1800
            assert [mount["mountPath"] for mount in described["emptyDirMounts"]] == ["/tmp"]
            assert {secret["secretName"] for secret in described["secretAsEnv"]} == {"rankloop"}
        for task in tasks_of(specification):
            tried = task["retryPolicy"]
            described = on_kubernetes[specification["components"][task["componentRef"]["name"]]["executorLabel"]]
            assert tried["maxRetryCount"] == 2
            assert _seconds(tried["backoffMaxDuration"]) == 3 * int(described["activeDeadlineSeconds"])


def _seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def tasks_of(specification: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tasks of a compiled pipeline that are steps, not graphs of steps."""
    dags = [specification["root"], *specification["components"].values()]
    tasks = [task for each in dags for task in each.get("dag", {}).get("tasks", {}).values()]
    return [task for task in tasks if "executorLabel" in specification["components"][task["componentRef"]["name"]]]


def test_kubeflow_stores_nothing_of_a_report(tmp_path: Path) -> None:
    for name in PIPELINES:
        specification, _ = compile_package(name, tmp_path / "pipeline.yaml")
        assert "outputDefinitions" not in specification["components"]["comp-write-report"]


def test_no_task_is_answered_from_kfps_cache(tmp_path: Path) -> None:
    """Each takes the run's id: an answer from the cache would be another run's."""
    for name in PIPELINES:
        specification = compile_package(name, tmp_path / f"{name}.yaml")[0]
        steps = tasks_of(specification)
        assert len(steps) > 5
        assert not any(task.get("cachingOptions", {}).get("enableCache") for task in steps)


def test_a_stale_file_is_told_by_the_exit_code_until_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def rankloop(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["rankloop", *words, "--out", str(tmp_path / "manifests")])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    assert rankloop("compile", "--check") == 3
    printed = capsys.readouterr()
    assert printed.out.count("stale: ") == 2 * len(PIPELINES) + 1
    assert "run `rankloop compile` and commit what it writes" in printed.err
    assert not (tmp_path / "manifests").exists()
    assert rankloop("compile") == 0
    assert rankloop("compile", "--check") == 0
    written = tmp_path / "manifests" / "training-pipeline.yaml"
    written.write_text(written.read_text() + "# edited by hand\n")
    assert rankloop("compile", "--check") == 3
    assert f"stale: {written}" in capsys.readouterr().out


def test_pipelines_with_other_images_and_nodes_are_other_versions_in_a_folder_of_their_own(
    tmp_path: Path, resources: list[Resource]
) -> None:
    images = tmp_path / "images.toml"
    nodes = '[nodes]\nselector = {pool = "batch"}\ntolerations = [{key = "batch", effect = "NoSchedule"}]\n'
    images.write_text(re.sub("registry.example.invalid", "localhost:5000", IMAGES_FILE.read_text()) + nodes)
    folder = tmp_path / "pipelines"
    assert "expected the folder" in the_one_line(rankloop("compile", "--images", images), 2)
    assert rankloop("compile", "--images", images, "--out", folder).returncode == 0
    names = [resource.path.name for resource in resources]
    assert sorted(file.name for file in folder.iterdir()) == sorted(names)
    compiled = (folder / "training-version.yaml").read_text()
    assert "localhost:5000/rankloop/python-steps@sha256:" in compiled
    assert "registry.example.invalid" not in compiled
    version = yaml.safe_load(compiled)
    assert version["metadata"]["name"] not in {name_of(resource) for resource in resources}
    for executor in version["spec"]["platformSpec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
        assert executor["nodeSelector"] == {"labels": {"pool": "batch"}}
        assert executor["tolerations"] == [{"key": "batch", "operator": "Equal", "effect": "NoSchedule"}]


def name_of(resource: Resource) -> str | None:
    document = yaml.safe_load(resource.text)
    return document.get("metadata", {}).get("name")
