"""`rankloop breaker` on a real Git server."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from components.contracts.errors import ConfigurationError
from components.gitops.canary import Failure
from components.gitops.record import Record, write_record
from components.gitops.remote import Remote
from pipelines.commands.breaker import command
from tests.components.gitops.bench import NOW, Bench, bench

pytestmark = pytest.mark.slow(seconds=3)

BUNDLE = f"sha256:{64 * '2'}"
FAILURE = Failure("errors", "0.03", "at most 0.01", "2026-06-10T11:59:30Z", "rankloop-7bb5f9c4fd-2", "a-uid")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with bench(tmp_path, None) as each:
        for name in [name for name in os.environ if name.startswith("RANKLOOP_GIT_")]:
            monkeypatch.delenv(name)
        for name, text in each.variables.items():
            monkeypatch.setenv(name, text)
        yield each


def test_it_says_why_promotions_are_stopped_and_lets_them_go_on(made: Bench) -> None:
    options = ["--env", "staging"]
    assert CliRunner().invoke(command, options).output == "staging takes promotions\n"
    remote = Remote(made.settings)
    record = Record().with_failure(BUNDLE, FAILURE, f"sha256:{64 * '1'}", is_alone=True)
    write_record(remote, remote.fetch("rankloop/staging/"), "staging", record, "A canary failed\n", NOW)
    stopped = CliRunner().invoke(command, options)
    assert stopped.exit_code == 3
    assert "errors was 0.03, expected at most 0.01 (AnalysisRun rankloop-7bb5f9c4fd-2" in stopped.output
    shown = CliRunner().invoke(command, [*options, "--json"])
    assert json.loads(shown.output)["stopped"]["bundle"] == BUNDLE
    assert CliRunner().invoke(command, ["--env", "production"]).exit_code == 0
    for _ in range(2):
        assert CliRunner().invoke(command, [*options, "--reset"]).output == "staging takes promotions\n"
    subjects = made.repository.git("log", "--format=%s", "rankloop/staging/record").splitlines()
    assert subjects == ["staging: promotions go on", "A canary failed"]


def test_an_environment_of_the_home_has_none(made: Bench) -> None:
    assert isinstance(CliRunner().invoke(command, ["--env", "local"]).exception, ConfigurationError)
