"""What is committed below manifests/rendered is what the overlays come to, one resource a file."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from components.bundles.digest import NO_BUNDLE
from components.contracts.errors import ConfigurationError
from pipelines import rendering
from pipelines.commands import render
from tests.kubernetes.programs import program
from tests.manifests import overlays

DIGEST = f"sha256:{'ab' * 32}"


@pytest.fixture
def manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a copy of manifests/ with one environment and one cluster, to be changed."""
    clusters = {folder.name for folder in (rendering.MANIFESTS / "clusters").iterdir()}
    others = {*rendering.environments(rendering.MANIFESTS), *clusters} - {"staging", "main"}
    copy = shutil.copytree(rendering.MANIFESTS, tmp_path / "manifests", ignore=shutil.ignore_patterns(*others))
    monkeypatch.setattr(rendering, "MANIFESTS", copy)
    return copy


def rendered(*options: str) -> Result:
    return CliRunner().invoke(render.command, [*options, "--kubectl", str(program("kubectl"))])


def test_what_is_committed_is_current() -> None:
    result = rendered("--check")
    assert (result.exit_code, result.output) == (0, "every rendered manifest is up to date\n")
    assert {"production", "staging"} <= set(rendering.environments(rendering.MANIFESTS))


def test_a_promotion_changes_one_line_of_source_and_its_copy(manifests: Path) -> None:
    source, copy = manifests / "overlays/staging/bundle.yaml", manifests / "rendered/staging/rollout-rankloop.yaml"
    for file in (source, copy):
        text, line = file.read_text(), f"value: {NO_BUNDLE}\n"
        assert text.count(line) == 1
        file.write_text(text.replace(line, f"value: {DIGEST}\n"))
    assert rendered("--check").exit_code == 0


def test_a_change_of_the_configuration_is_a_rollout_and_no_other_pipeline(manifests: Path) -> None:
    folder, overlay = manifests / "rendered/staging", manifests / "overlays/staging/kustomization.yaml"
    template = _template(folder)
    overlay.write_text(overlay.read_text().replace("s3://rankloop/staging", "s3://rankloop/elsewhere"))
    changed = {Path(line.removeprefix("written: ")).name for line in rendered().stdout.splitlines()}
    assert {"configmap-rankloop.yaml", "rollout-rankloop.yaml"} <= changed
    assert not any(name.startswith("pipeline") for name in changed)
    assert _template(folder)["spec"] == template["spec"]
    assert _template(folder)["metadata"]["labels"] == template["metadata"]["labels"]
    assert _template(folder)["metadata"]["annotations"] != template["metadata"]["annotations"]


def test_an_experiment_is_followed_without_a_rollout(manifests: Path) -> None:
    folder, overlay = manifests / "rendered/staging", manifests / "overlays/staging"
    template = _template(folder)
    (overlay / "staging.toml").write_text('name = "x"')
    generators = yaml.safe_load((overlay / "kustomization.yaml").read_text())
    generators["configMapGenerator"].append({"name": "rankloop-experiments", "files": ["staging.toml"]})
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(generators))
    assert "configmap-rankloop-experiments.yaml" in rendered().stdout
    assert _template(folder) == template


def test_environments_have_other_pod_templates() -> None:
    """The canary's analysis tells pods apart by the hash of their template alone."""
    staging, production = (_template(rendering.MANIFESTS / "rendered" / name) for name in ("staging", "production"))
    assert staging["spec"] == production["spec"]
    assert staging != production


def _template(folder: Path) -> Any:
    return yaml.safe_load((folder / "rollout-rankloop.yaml").read_text())["spec"]["template"]


def test_what_is_stale_or_left_over_is_named_until_it_is_written(manifests: Path) -> None:
    source, copy = manifests / "overlays/staging/bundle.yaml", manifests / "rendered/staging/rollout-rankloop.yaml"
    source.write_text(source.read_text().replace(NO_BUNDLE, DIGEST))
    left = manifests / "rendered/staging/gone.yaml"
    left.write_text("kind: Gone")
    result = rendered("--check")
    assert result.exit_code == 3
    assert result.stdout == f"stale: {copy}\nleft over: {left}\n"
    assert result.stderr == "rankloop: run `rankloop render` and commit what it writes\n"
    assert DIGEST not in copy.read_text()
    assert rendered().stdout == f"written: {copy}\ndeleted: {left}\n"
    assert DIGEST in copy.read_text()
    assert rendered("--check").exit_code == 0


def test_a_shop_is_added_by_copying_one_folder(manifests: Path) -> None:
    before = contents(manifests)
    add_shop(manifests)
    assert rendered().exit_code == 0
    changed = contents(manifests).items() ^ before.items()
    assert {path.relative_to(manifests).parts[1] for path, _ in changed} == {"fashion"}, "below overlays and rendered"
    documents = [yaml.load(text, yaml.CSafeLoader) for path, text in changed if "rendered" in path.parts]
    namespaces = {one["metadata"].get("namespace") for one in documents if one["kind"] != "Namespace"}
    [shop] = [one for one in documents if one["metadata"]["name"] == "rankloop-shop"]
    assert namespaces == {"rankloop-fashion"}
    assert shop["data"] == {"shop.toml": "name = 'fashion'\n"}


def test_a_cluster_is_added_by_copying_one_folder(manifests: Path) -> None:
    add_shop(manifests)
    add_cluster(manifests, "second", "- path: manifests/rendered/fashion")
    result = rendered()
    assert isinstance(result.exception, ConfigurationError)
    assert "environment fashion: found it in the clusters main and second, expected one" in str(result.exception)
    first = manifests / "clusters/main/repository.yaml"
    first.write_text(f"{first.read_text()}  - {{path: manifests/rendered/fashion, exclude: true}}\n")
    assert rendered().exit_code == 0
    assert "manifests/rendered/fashion" in overlays.rendered(manifests / "clusters/second")


def test_a_cluster_of_an_empty_folder_is_refused(manifests: Path) -> None:
    add_cluster(manifests, "second", "- path: manifests/rendered/fashion")
    with pytest.raises(ConfigurationError, match="fashion, in which nothing is rendered, so Argo CD would deploy noth"):
        rendering.rendered_resources(str(program("kubectl")), manifests)


def add_shop(manifests: Path) -> None:
    """Copy the folder of an environment, and change its own lines."""
    folder = shutil.copytree(manifests / "overlays/staging", manifests / "overlays/fashion")
    kustomization = folder / "kustomization.yaml"
    document = yaml.safe_load(kustomization.read_text().replace("staging", "fashion"))
    document["configMapGenerator"].append({"name": "rankloop-shop", "files": ["shop.toml"]})
    document["components"].remove("../../components/shop")
    kustomization.write_text(yaml.safe_dump(document))
    (folder / "shop.toml").write_text("name = 'fashion'\n")


def add_cluster(manifests: Path, name: str, directory: str) -> None:
    """Copy the folder of a cluster, and change its own line."""
    folder = shutil.copytree(manifests / "clusters/main", manifests / "clusters" / name)
    repository = folder / "repository.yaml"
    assert "- path: manifests/rendered/*" in repository.read_text()
    repository.write_text(repository.read_text().replace("- path: manifests/rendered/*", directory))


def contents(manifests: Path) -> dict[Path, str]:
    return {file: file.read_text() for file in manifests.rglob("*") if file.is_file()}


def test_a_digest_goes_into_no_other_variable(manifests: Path) -> None:
    workload = manifests / "base/service/deployment.yaml"
    workload.write_text(workload.read_text().replace("- name: RANKLOOP_BUNDLE", "- name: RANKLOOP_OTHER"))
    with pytest.raises(ConfigurationError, match=r"overlays/staging: kubectl cannot render it: .*env/0/name failed"):
        rendering.rendered_resources(str(program("kubectl")), manifests)


def test_without_kubectl_the_command_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="found no program 'no-kubectl', expected kubectl"):
        rendering.rendered_resources("no-kubectl", rendering.MANIFESTS)
