"""CI of GitHub, GitLab and Jenkins, run: each makes the same calls of make, with the same variables.

A `make` that writes down what it is called with stands in the place of the real one.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ci.gitlab import gitlab_ci_local
from tests.ci.jenkins import Pipeline

pytestmark = pytest.mark.slow(seconds=20)

ROOT = Path(__file__).parents[2]
ACT = Path(sys.executable).parent / "act"
URL = "https://github.com/shop/deploy.git"
REGISTRY, ENDPOINT = "registry.example.org/shop", "https://kubeflow.example.org"
MAKE = """\
#!/bin/sh
case $1 in
  deployment) echo "$* $REGISTRY $RANKLOOP_GIT_URL $(cat "$RANKLOOP_GIT_TOKEN_FILE")" ;;
  acceptance) echo "$* $REGISTRY $KF_PIPELINES_ENDPOINT $(cat "$KUBECONFIG")" ;;
  *) echo "$*" ;;
esac >> "$CALLS"
"""
CHECKOUT = "name: checkout\ndescription: nothing\nruns:\n  using: composite\n  steps: [{run: 'true', shell: sh}]\n"
CHECKS = ["check", "check-compiled check-rendered policy", "test"]


@dataclass(frozen=True)
class Machine:
    """A checkout of the definitions, with a ``make`` of tests, and files of secrets."""

    folder: Path

    @property
    def checkout(self) -> Path:
        """Return the checkout."""
        return self.folder / "here"

    def run(self, command: list[str]) -> None:
        """Run a program of CI in the checkout."""
        finished = subprocess.run(
            command, cwd=self.checkout, env=self.variables(), capture_output=True, text=True, check=False
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr

    def variables(self) -> dict[str, str]:
        """Return the variables of such a program: this machine's, without those of the definitions."""
        own = {"HOME": str(self.folder), "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        left = {name: text for name, text in os.environ.items() if name not in ("REGISTRY", "KUBECONFIG")}
        return left | own | {"CALLS": str(self.folder / "calls")}

    def secret(self, name: str) -> str:
        """Return the path of a file of a secret, which holds its name."""
        (self.folder / name).write_text(f"the {name}")
        return str(self.folder / name)

    def calls(self) -> list[str]:
        """Return each call of make, sorted: jobs run at the same time."""
        return sorted(line.strip() for line in (self.folder / "calls").read_text().splitlines())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    for folder in ("bin", "action", "here/.github/workflows"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "bin/make").write_text(MAKE)
    (tmp_path / "bin/make").chmod(0o755)
    (tmp_path / "action/action.yml").write_text(CHECKOUT)
    for name in (".github/workflows/ci.yml", ".gitlab-ci.yml", "Jenkinsfile"):
        (made.checkout / name).write_text((ROOT / name).read_text())
    author = ("-c", "user.name=Tests", "-c", "user.email=tests@localhost")
    for words in (
        ("init", "--quiet", "--initial-branch", "main"),
        ("add", "--all"),
        (*author, "commit", "--quiet", "--message", "x"),
        ("remote", "add", "origin", URL),
    ):
        subprocess.run(["git", *words], cwd=made.checkout, check=True)
    return made


def github(machine: Machine, is_change: bool, variables: Mapping[str, str]) -> None:
    action = f"actions/checkout@v5={machine.folder / 'action'}"
    options = ["--no-cache-server", "--local-repository", action, "--platform", "ubuntu-latest=-self-hosted"]
    for name, text in variables.items():
        options += ["--var", f"{name}={text}"]
    for name, secret in (("RANKLOOP_GIT_TOKEN", "token"), ("KUBECONFIG", "kubeconfig")):
        options += ["--secret", f"{name}=the {secret}"]
    machine.run([str(ACT), "pull_request" if is_change else "push", *options])


def gitlab(machine: Machine, is_change: bool, variables: Mapping[str, str]) -> None:
    source = "merge_request_event" if is_change else "push"
    secrets = {"RANKLOOP_GIT_TOKEN_FILE": machine.secret("token"), "KUBECONFIG": machine.secret("kubeconfig")}
    if is_change:
        subprocess.run(["git", "switch", "--quiet", "--create", "change"], cwd=machine.checkout, check=True)
    options = ["--force-shell-executor", "--json-schema-validation=false"]
    for name, text in ({"CI_PIPELINE_SOURCE": source} | secrets | variables).items():
        options += ["--variable", f"{name}={text}"]
    machine.run([*gitlab_ci_local(), *options])


def jenkins(machine: Machine, is_change: bool, variables: Mapping[str, str]) -> None:
    own = {"BRANCH_NAME": "PR-1" if is_change else "main", "GIT_URL": URL}
    credentials = {"rankloop-git-token": machine.secret("token"), "rankloop-kubeconfig": machine.secret("kubeconfig")}
    texts = ("registry-password", "online-url", "aws-key", "aws-secret")
    credentials |= {f"rankloop-{name}": "text" for name in texts}
    Pipeline(machine.checkout / "Jenkinsfile", machine.variables() | own | variables, credentials, is_change).run()


platforms = pytest.mark.parametrize("platform", [github, gitlab, jenkins])
Platform = Callable[[Machine, bool, Mapping[str, str]], None]


@platforms
def test_a_pull_request_is_checked_and_deploys_nothing(machine: Machine, platform: Platform) -> None:
    platform(machine, True, {"REGISTRY": REGISTRY, "KF_PIPELINES_ENDPOINT": ENDPOINT})
    assert machine.calls() == sorted([*CHECKS, "images REGISTRY="])


@platforms
def test_a_merge_deploys_where_a_registry_is_named_and_tries_a_cluster_that_is_named(
    machine: Machine, platform: Platform
) -> None:
    platform(machine, False, {"REGISTRY": REGISTRY, "KF_PIPELINES_ENDPOINT": ENDPOINT})
    deployment = f"deployment {REGISTRY} {URL} the token"
    assert machine.calls() == sorted([*CHECKS, deployment, f"acceptance {REGISTRY} {ENDPOINT} the kubeconfig"])


@platforms
def test_a_merge_without_a_registry_and_a_cluster_is_checked_alone(machine: Machine, platform: Platform) -> None:
    platform(machine, False, {})
    assert machine.calls() == CHECKS


def test_a_construct_of_jenkins_that_is_not_known_is_not_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "Jenkinsfile"
    file.write_text("pipeline {\n  stages {\n    stage('x') {\n      when { branch('main') }\n    }\n  }\n}\n")
    with pytest.raises(AssertionError, match="not known here: branch"):
        Pipeline(file, {}, {}, is_change=False).run()
