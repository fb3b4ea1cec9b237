"""A run that a schedule started: its steps agree on its id by that of KFP's run."""

from pathlib import Path

import pytest

from components.home.layout import Home
from components.home.runs.kubeflow import ADDRESS_VARIABLE, RUN_VARIABLE, SCHEDULED
from components.home.runs.records import list_runs
from components.home.runs.step import first_step, last_step, recorded_step
from tests.shop_files import TINY_SHOP


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def run_steps(home: Home, *more_first_steps: str) -> None:
    shop_file = home.root.with_name("tiny.toml")
    shop_file.write_text(TINY_SHOP)
    asked = (str(shop_file), "training", "latest", "local", "configured", {"version": "training-1"})
    for name in ("ingest_events", *more_first_steps):
        with first_step(name, str(home.root), SCHEDULED, *asked):
            pass
    with recorded_step("validate_events", str(home.root), SCHEDULED):
        pass
    with last_step("write_report", str(home.root), SCHEDULED, succeeded=True):
        pass


def test_each_scheduled_run_gets_an_id_that_all_its_steps_find(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, "https://kubeflow.example.org/pipeline/")
    for run in ("kfp-1", "kfp-2"):
        monkeypatch.setenv(RUN_VARIABLE, run)
        run_steps(home)
    newest, oldest = list_runs(home)
    assert (newest.kubeflow_run, oldest.kubeflow_run) == ("kfp-2", "kfp-1")
    assert newest.run_id > oldest.run_id
    assert {newest.state, oldest.state} == {"done"}
    assert newest.link == "https://kubeflow.example.org/pipeline/#/runs/details/kfp-2"


def test_a_first_step_that_is_tried_again_begins_no_second_run(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUN_VARIABLE, "kfp-1")
    run_steps(home, "ingest_events")
    assert len(list_runs(home)) == 1


def test_a_step_of_a_scheduled_run_that_never_began_says_so(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(RUN_VARIABLE, "kfp-1")
    with pytest.raises(SystemExit), last_step("write_report", str(home.root), SCHEDULED, succeeded=False):
        pass
    assert "of KFP's run kfp-1, expected that its first step has begun it" in capsys.readouterr().err


def test_only_a_pod_can_be_a_scheduled_run(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    with pytest.raises(SystemExit):
        run_steps(home)
    assert f"run_id: found {SCHEDULED!r} without {RUN_VARIABLE}" in capsys.readouterr().err
