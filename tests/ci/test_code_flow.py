"""`make deployment`: from a merge to the pull request that deploys it, on a copy of this repository."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.contracts.images import read_image
from components.gitops.deployment import BRANCH
from tests.ci.recording_docker import docker_variables, write_docker
from tests.forges.github import GitHub
from tests.forges.served import serving
from tests.git_server import AUTHOR, Repository, git_over_http
from tests.kubernetes.programs import program

pytestmark = pytest.mark.slow(seconds=8)

ROOT = Path(__file__).parents[2]
REGISTRY, TOKEN = "registry.example.org/shop", "token-of-the-account-7Zq"


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, check=True, env=os.environ | AUTHOR
    )
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy what this repository holds, as one commit, with this environment's programs."""
    copy = tmp_path / "checkout"
    for name in git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    git(copy, "init", "--quiet", "--initial-branch", "main")
    git(copy, "add", "--all")
    git(copy, "commit", "--quiet", "--message", "Merged")
    (copy / ".venv").mkdir()
    (copy / ".venv/bin").symlink_to(Path(sys.prefix) / "bin")
    (copy / ".venv/.synced").touch()
    return copy


@pytest.fixture
def repository(checkout: Path, tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "deploy.git")
    git(tmp_path, "clone", "--quiet", "--bare", str(checkout), str(made.folder))
    made.git("config", "http.receivepack", "true")
    return made


@pytest.fixture
def variables(repository: Repository, tmp_path: Path, checkout: Path) -> Iterator[dict[str, str]]:
    """Serve the repository and its forge; give the variables of a job of CI."""
    write_docker(tmp_path)
    (tmp_path / "token").write_text(TOKEN)
    forge = GitHub(repository, TOKEN)
    with git_over_http(repository, {TOKEN: "write"}) as served, serving(forge):
        yield docker_variables(tmp_path) | {
            "PYTHONPATH": str(checkout),
            "KUBECTL": str(program("kubectl")),
            "REGISTRY": REGISTRY,
            "RANKLOOP_GIT_URL": served.url,
            "RANKLOOP_GIT_FORGE": "github",
            "RANKLOOP_GIT_API_URL": forge.url,
            "RANKLOOP_GIT_TOKEN_FILE": str(tmp_path / "token"),
        }
    assert not forge.mistakes


def test_a_merge_ends_in_a_pull_request_of_digests_pipelines_and_manifests(
    checkout: Path, repository: Repository, variables: dict[str, str]
) -> None:
    made = subprocess.run(
        ["make", "deployment", "UV=/bin/true"],
        cwd=checkout,
        env=os.environ | {"MAKEFLAGS": "", "MFLAGS": ""} | variables,  # not those of the make that runs the tests
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    head = git(checkout, "rev-parse", "HEAD")
    assert re.search(f"Deploy the images and pipelines of {head[:12]}: http\\S+/pull/1\n", made.stdout)
    digests = [read_image(checkout / "components/images.toml", name) for name in ("steps", "monitoring", "serving")]
    changed = repository.git("diff", "--name-only", "main", BRANCH).splitlines()
    assert all(path == "components/images.toml" or path.startswith("manifests/") for path in changed)
    proposed = repository.git("show", f"{BRANCH}:components/images.toml")
    compiled = repository.git("show", f"{BRANCH}:manifests/base/pipelines/training-version.yaml")
    rollout = repository.git("show", f"{BRANCH}:manifests/rendered/production/rollout-rankloop.yaml")
    assert all(digest in proposed for digest in digests)
    assert digests[0] in compiled
    assert digests[2] in rollout
