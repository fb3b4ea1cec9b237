"""Runs on this machine and on Kubeflow stand in one list."""

import pytest
from rich.console import Console

from components.home.runs.records import RunRecord
from pipelines.runs.details import links_table


def test_each_run_on_kubeflow_is_listed_with_its_link(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [
        RunRecord("r1", "training", "tiny", "tiny.toml", None, kubeflow_run="k1", link="https://kf/#/runs/details/k1"),
        RunRecord("r2", "training", "tiny", "tiny.toml", None, kubeflow_run="k2"),
        RunRecord("r3", "training", "tiny", "tiny.toml", None),
    ]
    assert listed(runs, capsys) == [["r1", "https://kf/#/runs/details/k1"], ["r2", "run", "k2"]]
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", "https://me:sesame@other/pipeline/#/runs")
    assert listed(runs, capsys)[1] == ["r2", "https://other/pipeline/#/runs/details/k2"]


def listed(runs: list[RunRecord], capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    Console().print(links_table(runs), soft_wrap=True)
    return [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(("r1", "r2", "r3"))]
