"""Runs on this machine and on Kubeflow stand in one list."""

import pytest

from components.home.runs.records import RunRecord
from pipelines.runs.details import kubeflow_lines


def test_each_run_on_kubeflow_is_listed_with_its_link(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [
        RunRecord("r1", "training", "tiny", "tiny.toml", None, kubeflow_run="k1", link="https://kf/#/runs/details/k1"),
        RunRecord("r2", "training", "tiny", "tiny.toml", None, kubeflow_run="k2"),
        RunRecord("r3", "training", "tiny", "tiny.toml", None),
    ]
    assert kubeflow_lines(runs) == ["r1  https://kf/#/runs/details/k1", "r2  run k2"]
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", "https://me:sesame@other/pipeline/#/runs")
    assert kubeflow_lines(runs)[1] == "r2  https://other/pipeline/#/runs/details/k2"
