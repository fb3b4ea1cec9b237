"""The pull request that deploys code, from a checkout to a real Git server and a forge."""

import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from components.contracts.errors import ConfigurationError, PromotionError
from components.gitops.deployment import BRANCH, changed_files, propose
from components.gitops.places import open_forge
from components.gitops.remote import Remote
from components.gitops.request_text import CLOSED_MARK
from pipelines.commands.propose import command
from tests.components.gitops.bench import NOW, Bench
from tests.forges.forge import Answer

pytestmark = pytest.mark.slow(seconds=5)

IMAGES = 'steps = "registry.example.org/shop/python-steps@sha256:{}"\n'
OLD, NEW = "1" * 64, "2" * 64
VERSION = "manifests/base/pipelines/{}.yaml"


def checked_out(bench: Bench, folder: Path) -> Path:
    """Return a checkout of a repository whose images and pipelines are old."""
    files = {"components/images.toml": IMAGES.format(OLD), VERSION.format("old"): "old", "components/a.py": "code"}
    bench.repository.commit(files, "Images and pipelines")
    subprocess.run(["git", "clone", "--quiet", bench.repository.folder, folder], check=True)
    return folder


def write_new_images(checkout: Path) -> None:
    """Change what is deployed, and something that is not."""
    (checkout / "components/images.toml").write_text(IMAGES.format(NEW))
    (checkout / VERSION.format("new")).write_text("new")
    (checkout / VERSION.format("old")).unlink()
    (checkout / "components/a.py").write_text("no part of a deployment")


def propose_now(bench: Bench, checkout: Path) -> str:
    return propose(changed_files(checkout), Remote(bench.settings), open_forge(bench.settings), NOW)


def changes_of(bench: Bench) -> list[str]:
    """Return what the proposed commit changes."""
    return bench.repository.git("diff", "--name-status", "--no-renames", "main", BRANCH).splitlines()


def test_one_pull_request_holds_all_that_is_deployed(github: Bench, tmp_path: Path) -> None:
    checkout = checked_out(github, tmp_path / "checkout")
    write_new_images(checkout)
    said = propose_now(github, checkout)
    head = github.repository.head("main")
    assert said.startswith(f"Deploy the images and pipelines of {head[:12]}: http")
    assert changes_of(github) == [
        "M\tcomponents/images.toml",
        f"A\t{VERSION.format('new')}",
        f"D\t{VERSION.format('old')}",
    ]
    forge = open_forge(github.settings)
    assert forge is not None
    [request] = forge.open_requests()
    assert NEW in request.text
    assert "3 files" in request.text


def test_the_next_merge_brings_it_up_to_date(github: Bench, tmp_path: Path) -> None:
    checkout = checked_out(github, tmp_path / "checkout")
    write_new_images(checkout)
    propose_now(github, checkout)
    github.repository.commit({"components/b.py": "more"}, "More code")
    subprocess.run(["git", "pull", "--quiet"], cwd=checkout, check=True)
    propose_now(github, checkout)
    forge = open_forge(github.settings)
    assert forge is not None
    [request] = forge.open_requests()
    assert github.repository.head("main") in request.text
    assert github.repository.git("rev-parse", f"{BRANCH}^") == github.repository.head("main")


def test_a_run_that_was_outrun_leaves_it_to_the_newer_one(github: Bench, tmp_path: Path) -> None:
    checkout = checked_out(github, tmp_path / "checkout")
    write_new_images(checkout)
    newer = github.repository.commit({"components/b.py": "more"}, "More code")
    assert f"is at {newer[:12]} by now, whose own run proposes" in propose_now(github, checkout)
    assert BRANCH not in github.repository.branches()


def test_what_is_deployed_already_is_not_proposed(github: Bench, tmp_path: Path) -> None:
    checkout = checked_out(github, tmp_path / "checkout")
    (checkout / "components/a.py").write_text("no part of a deployment")
    assert propose_now(github, checkout).endswith("nothing to propose")
    assert BRANCH not in github.repository.branches()


def test_the_command_takes_the_folder_that_it_runs_in(
    alone: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = checked_out(alone, tmp_path / "checkout")
    write_new_images(checkout)
    monkeypatch.chdir(checkout)
    for name in [name for name in os.environ if name.startswith("RANKLOOP_GIT_")]:
        monkeypatch.delenv(name)
    assert isinstance(CliRunner().invoke(command).exception, ConfigurationError)
    for name, text in alone.variables.items():
        monkeypatch.setenv(name, text)
    ran = CliRunner().invoke(command)
    assert (ran.exit_code, ran.output) == (0, f"pushed {BRANCH} to {alone.settings.place}; merge it to deploy\n")
    assert len(changes_of(alone)) == 3


def test_a_folder_without_a_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="found no checkout of a repository"):
        changed_files(tmp_path)


def test_a_forge_that_fails_leaves_no_branch_behind(github: Bench, tmp_path: Path) -> None:
    checkout = checked_out(github, tmp_path / "checkout")
    write_new_images(checkout)
    assert github.forge is not None
    github.forge.faults.append(("POST .*/pulls", Answer(403, {"message": "Not accessible"})))
    with pytest.raises(PromotionError, match=r"403 \(Not accessible\)"):
        propose_now(github, checkout)
    assert BRANCH not in github.repository.branches()
    propose_now(github, checkout)
    assert BRANCH in github.repository.branches()


def test_a_deployment_whose_answer_was_lost_is_taken_up(github: Bench, tmp_path: Path) -> None:
    checkout = checked_out(github, tmp_path / "checkout")
    write_new_images(checkout)
    assert github.forge is not None
    github.forge.lost.append("POST .*/pulls")
    assert propose_now(github, checkout).startswith("Deploy the images and pipelines of ")
    assert [request.branch for request in github.forge.open_of()] == [BRANCH]


def test_a_pull_request_with_nothing_left_to_deploy_is_closed(github: Bench, tmp_path: Path) -> None:
    checkout = checked_out(github, tmp_path / "checkout")
    write_new_images(checkout)
    propose_now(github, checkout)
    subprocess.run(["git", "checkout", "--quiet", "."], cwd=checkout, check=True)
    (checkout / VERSION.format("new")).unlink()
    tip = github.repository.commit({"components/b.py": "as it was"}, "A revert")
    subprocess.run(["git", "pull", "--quiet"], cwd=checkout, check=True)
    assert propose_now(github, checkout).endswith("nothing to propose")
    assert github.forge is not None
    [request] = github.forge.requests
    assert (request.state, CLOSED_MARK in request.text) == ("closed", True)
    assert request.comments == [f"the code at {tip[:12]} is deployed as it is, so nothing is left to merge."]
    assert BRANCH not in github.repository.branches()
    assert propose_now(github, checkout).endswith("nothing to propose")
    write_new_images(checkout)
    propose_now(github, checkout)
    assert [each.state for each in github.forge.requests] == ["closed", "open"]


def test_a_branch_without_a_forge_is_deleted_when_nothing_is_left_to_deploy(alone: Bench, tmp_path: Path) -> None:
    checkout = checked_out(alone, tmp_path / "checkout")
    alone.repository.git("branch", BRANCH, "main")
    assert propose_now(alone, checkout).endswith("nothing to propose")
    assert alone.repository.branches() == ["main"]
