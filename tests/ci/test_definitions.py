"""CI of GitHub, GitLab and Jenkins: the same jobs, the same make targets, on the same conditions."""

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
