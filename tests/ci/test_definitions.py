"""CI of GitHub, GitLab and Jenkins: the same jobs, the same make targets, on the same conditions."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_groovy
import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
GITHUB, GITLAB, JENKINS, RENOVATE = (
    ROOT / name for name in (".github/workflows/ci.yml", ".gitlab-ci.yml", "Jenkinsfile", "renovate.json")
)
ALWAYS = "always"
# How each of the three says when a job runs.
WHEN = {
    None: ALWAYS,
    "github.event_name == 'pull_request'": "on pull requests",
    '$CI_PIPELINE_SOURCE == "merge_request_event"': "on pull requests",
    "changeRequest()": "on pull requests",
    "github.ref == 'refs/heads/main' && vars.REGISTRY != ''": "on main, with a registry",
    '$CI_COMMIT_BRANCH == "main" && $REGISTRY': "on main, with a registry",
    "expression { env.BRANCH_NAME == 'main' && env.REGISTRY }": "on main, with a registry",
    "github.ref == 'refs/heads/main' && vars.KF_PIPELINES_ENDPOINT != ''": "on main, with a cluster",
    '$CI_COMMIT_BRANCH == "main" && $KF_PIPELINES_ENDPOINT': "on main, with a cluster",
    "expression { env.BRANCH_NAME == 'main' && env.KF_PIPELINES_ENDPOINT }": "on main, with a cluster",
}
TARGETS = {"check", "test", "images", "check-compiled", "check-rendered", "policy", "deployment", "acceptance"}
NOT_PUSHED = "REGISTRY="  # also where the platform has a variable of that name
STAGE = re.compile(
    r"stage\('(?P<name>\w+)'\) \{\n(?:\s+when \{ (?P<when>[^\n]+) \}\n)?.*?sh 'make (?P<targets>[^']+)'", re.DOTALL
)
MAKE = '#!/bin/sh\necho "$* ${REGISTRY:-} $(cat "${RANKLOOP_GIT_TOKEN_FILE:-${KUBECONFIG:-/dev/null}}")" >> "$CALLS"\n'
CHECKOUT = "name: checkout\ndescription: nothing\nruns:\n  using: composite\n  steps: [{run: 'true', shell: sh}]\n"


@dataclass(frozen=True)
class Job:
    """What a job makes, and when."""

    targets: tuple[str, ...]
    when: str


def github_jobs() -> dict[str, Job]:
    jobs = yaml.safe_load(GITHUB.read_text())["jobs"]
    return {
        name: _job([step["run"] for step in job["steps"] if "run" in step], job.get("if")) for name, job in jobs.items()
    }


def gitlab_jobs() -> dict[str, Job]:
    document = yaml.safe_load(GITLAB.read_text())
    jobs = {name: job for name, job in document.items() if "script" in job}
    return {name: _job(job["script"], job.get("rules", [{"if": None}])[0]["if"]) for name, job in jobs.items()}


def jenkins_jobs() -> dict[str, Job]:
    stages = STAGE.finditer(JENKINS.read_text())
    return {stage["name"]: Job(tuple(stage["targets"].split()), WHEN[stage["when"]]) for stage in stages}


def _job(commands: list[str], when: str | None) -> Job:
    [make] = [command.split()[1:] for command in commands if command.startswith("make ")]
    return Job(tuple(make), WHEN[when])


def test_the_three_make_the_same_on_the_same_conditions() -> None:
    jobs = github_jobs()
    assert gitlab_jobs() == jobs
    assert jenkins_jobs() == jobs
    assert len(jobs) == JENKINS.read_text().count("stage('")
    assert {target for job in jobs.values() for target in job.targets} - {NOT_PUSHED} == TARGETS
    assert jobs["images"].targets == ("images", NOT_PUSHED)
    assert [name for name, job in jobs.items() if job.when == ALWAYS] == ["check", "manifests", "test"]


def test_every_target_is_in_the_makefile() -> None:
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert made >= TARGETS


@pytest.mark.parametrize(
    ("schema", "file"),
    [("vendor.github-workflows", GITHUB), ("vendor.gitlab-ci", GITLAB), ("vendor.renovate", RENOVATE)],
    ids=["github", "gitlab", "renovate"],
)
def test_a_definition_is_what_its_schema_wants(schema: str, file: Path) -> None:
    options = ["--data-transform", "gitlab-ci"] if file == GITLAB else []
    checked = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", schema, *options, file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_jenkinsfile_is_groovy() -> None:
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_groovy.language()))
    text = JENKINS.read_bytes()
    assert not parser.parse(text).root_node.has_error
    assert parser.parse(text.replace(b"steps {", b"steps", 1)).root_node.has_error


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the workflow, and beside it a `make` that writes down what it is called with."""
    for name, text in {
        "bin/make": MAKE,
        "action/action.yml": CHECKOUT,
        "here/workflow.yml": GITHUB.read_text(),
    }.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    (tmp_path / "bin/make").chmod(0o755)
    for words in (
        ("init", "--quiet", "--initial-branch", "main"),
        ("-c", "user.name=Tests", "-c", "user.email=tests@localhost", "commit", "--quiet", "--allow-empty", "-m", "x"),
        ("remote", "add", "origin", "https://github.com/shop/deploy.git"),
    ):
        subprocess.run(["git", *words], cwd=tmp_path / "here", check=True)
    return tmp_path


def act(checkout: Path, *words: str) -> list[str]:
    """Run GitHub's workflow in the checkout; return each call of make, with its registry and its secret."""
    action = f"actions/checkout@v5={checkout / 'action'}"
    options = ("--no-cache-server", "--local-repository", action, "--platform", "ubuntu-latest=-self-hosted")
    variables = os.environ | {
        "HOME": str(checkout),
        "PATH": f"{checkout / 'bin'}:{os.environ['PATH']}",
        "CALLS": str(checkout / "calls"),
    }
    finished = subprocess.run(
        [BIN / "act", *words, *options, "--workflows", "workflow.yml"],
        cwd=checkout / "here",
        env={name: text for name, text in variables.items() if name not in ("REGISTRY", "KUBECONFIG")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return sorted(line.strip() for line in (checkout / "calls").read_text().splitlines())


def test_a_pull_request_is_checked_and_deploys_nothing(checkout: Path) -> None:
    calls = act(checkout, "pull_request", "--var", "REGISTRY=registry.example.org/shop")
    assert calls == ["check", "check-compiled check-rendered policy", "images REGISTRY=", "test"]


def test_a_merge_deploys_where_a_registry_is_named_and_tries_a_cluster_that_is_named(checkout: Path) -> None:
    named = (
        "--var",
        "REGISTRY=registry.example.org/shop",
        "--var",
        "KF_PIPELINES_ENDPOINT=https://kubeflow.example.org",
    )
    secrets = ("--secret", "RANKLOOP_GIT_TOKEN=of-git", "--secret", "KUBECONFIG=of-the-cluster")
    assert act(checkout, "push", *named, *secrets) == [
        "acceptance registry.example.org/shop of-the-cluster",
        "check",
        "check-compiled check-rendered policy",
        "deployment registry.example.org/shop of-git",
        "test",
    ]


def test_a_merge_without_a_registry_and_a_cluster_is_checked_alone(checkout: Path) -> None:
    assert act(checkout, "push") == ["check", "check-compiled check-rendered policy", "test"]
