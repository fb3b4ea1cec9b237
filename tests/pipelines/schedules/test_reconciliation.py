"""Schedules over HTTP: the command and KFP's real client against a fake of its API server."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from tests.pipelines.cluster.fake_api import FakeApi
from tests.pipelines.kubeflow.fake_kfp import FakeKfp, RefusedError
from tests.servers import answering

pytestmark = pytest.mark.slow(seconds=10)

WORKFLOWS = "/apis/kubeflow.org/v1beta1/namespaces/rankloop/scheduledworkflows"
FILE = """
[[schedules]]
name = "weekly training"
pipeline = "training"
cron = "0 3 * * 1"
parameters = { shop = "/etc/rankloop/shop.toml", home = "s3://bucket/shop" }
"""


class Schedules:
    """A file of schedules, a fake of KFP, and the command between them."""

    def __init__(self, file: Path, kfp: FakeKfp, run: Callable[..., int], output: pytest.CaptureFixture[str]) -> None:
        self.kfp, self._file, self._run, self._output = kfp, file, run, output
        self.write(FILE)

    def write(self, text: str) -> None:
        self._file.write_text(text)

    def run(self, *words: str) -> tuple[int, str]:
        code = self._run("schedules", "--file", str(self._file), "--host", self.kfp.url, *words)
        printed = self._output.readouterr()
        return code, printed.out + printed.err

    @property
    def runs(self) -> list[dict[str, Any]]:
        return list(self.kfp.tables["recurringruns"].values())


@pytest.fixture
def schedules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["rankloop", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    monkeypatch.setattr("pipelines.kubeflow.patience.PAUSE_SECONDS", 0.01)
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    monkeypatch.setattr("pipelines.kubeflow.client.LOOK_SECONDS", 60)  # on a busy machine
    with answering(FakeKfp()) as kfp:
        yield Schedules(tmp_path / "schedules.toml", kfp, run, capsys)


def test_a_schedule_is_created_shown_replaced_and_pruned(schedules: Schedules) -> None:
    for number in range(120):  # more than a page of others
        schedules.kfp.add("recurringruns", "recurring_run_id", {"display_name": f"x{number}", "mode": "ENABLE"})
    foreign = len(schedules.runs)
    code, words = schedules.run("--check")
    assert (code, schedules.kfp.calls) == (3, [])
    assert "missing          weekly training          training at 0 3 * * 1" in words

    assert schedules.run("--apply")[0] == 0
    assert schedules.kfp.calls == ["create r121", "enable r121"]
    (made,) = schedules.runs[foreign:]
    (version,) = schedules.kfp.tables["versions"].values()
    assert made["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * 1"
    assert made["pipeline_version_reference"]["pipeline_version_id"] == version["pipeline_version_id"]
    assert (made["no_catchup"], made["max_concurrency"]) == (True, 1)
    assert made["runtime_config"]["parameters"] == {
        "run_id": "scheduled",
        "fingerprint": {"version": version["name"]},
        "shop": "/etc/rankloop/shop.toml",
        "home": "s3://bucket/shop",
    }
    assert schedules.run("--check")[0] == 0
    assert schedules.run("--apply")[0] == 0
    assert len(schedules.kfp.calls) == 2

    schedules.write(FILE.replace("bucket/shop", "bucket/other"))
    assert schedules.run("--check")[0] == 3
    schedules.run("--apply")
    assert schedules.kfp.calls[2:] == ["create r122", "disable r121", "delete r121 ORPHAN", "enable r122"]
    assert len(schedules.kfp.uploads) == 1

    schedules.write("schedules = []")
    code, words = schedules.run("--apply")
    assert "not in the file  weekly training" in words
    assert len(schedules.runs) == foreign + 1
    schedules.run("--prune")
    assert schedules.kfp.calls[6:] == ["disable r122", "delete r122 ORPHAN"]
    assert len(schedules.runs) == foreign


def test_what_was_interrupted_is_taken_up(schedules: Schedules) -> None:
    schedules.run("--apply")
    schedules.write(FILE.replace("bucket/shop", "bucket/other"))
    schedules.kfp.refusal = lambda method, path: RefusedError(500, "broken") if method == "DELETE" else None
    code, words = schedules.run("--apply")
    assert code == 1
    assert words.splitlines()[-1].endswith("refused the request: 500 Internal Server Error: broken")
    schedules.kfp.refusal = lambda method, path: None
    assert schedules.run("--apply")[0] == 0
    assert schedules.kfp.calls[2:] == ["create r2", "disable r1", "delete r1 ORPHAN", "enable r2"]
    assert [one["mode"] for one in schedules.runs] == ["ENABLE"]


def test_one_whose_scheduled_workflow_went_with_its_namespace_is_deleted(schedules: Schedules) -> None:
    schedules.run("--apply")
    schedules.write("schedules = []")
    gone = 'Failed to change the mode to enable:false: scheduledworkflows.kubeflow.org "weeklytrainingx" not found'
    schedules.kfp.refusal = lambda method, path: RefusedError(500, gone) if path.endswith(":disable") else None
    assert schedules.run("--prune")[0] == 0
    assert schedules.runs == []


@pytest.mark.parametrize("ends", ["recurringruns", ":enable", "versions"])
def test_a_server_that_restarts_is_asked_again(schedules: Schedules, ends: str) -> None:
    refusals = iter([RefusedError(503, "away")] * 3)
    schedules.kfp.refusal = lambda method, path: next(refusals, None) if path.endswith(ends) else None
    code, words = schedules.run("--apply")
    assert code == 0
    assert words.count("Kubeflow Pipelines is away (503 Service Unavailable); asking again for 600 seconds") == 1
    assert [one["mode"] for one in schedules.runs] == ["ENABLE"]


def test_a_server_that_stays_away_is_one_line(schedules: Schedules) -> None:
    schedules.kfp.refusal = lambda method, path: RefusedError(503, "away") if path.endswith(":enable") else None
    code, words = schedules.run("--apply", "--patience", "0")
    assert code == 1
    assert words.splitlines()[-1].endswith("refused the request: 503 Service Unavailable: away")


def test_one_that_outlived_its_namespace_is_named_and_made_anew(
    schedules: Schedules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedules.run("--apply")
    schedules.kfp.add("recurringruns", "recurring_run_id", {"display_name": "foreign", "mode": "ENABLE"})
    gone = 'Failed to enable recurring run r1: scheduledworkflows.kubeflow.org "weeklytrainingx" not found'
    schedules.kfp.refusal = lambda method, path: RefusedError(500, gone) if path.endswith("r1:enable") else None
    assert "as in the file" in schedules.run("--check")[1]  # no kubeconfig says more
    with answering(FakeApi()) as api:
        api.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        api.documents[WORKFLOWS] = {"items": []}
        code, words = schedules.run("--check", "--namespace", "rankloop")
        assert code == 3
        assert words.startswith("starts nothing   weekly training          training at 0 3 * * 1")
        assert "went with their namespace" in words
        assert schedules.run("--apply", "--namespace", "rankloop")[0] == 0
        api.documents[WORKFLOWS] = {"items": [{"metadata": {"uid": "r3"}}]}
        assert schedules.run("--check", "--namespace", "rankloop")[0] == 0
    assert schedules.kfp.calls[2:] == ["delete r1 ORPHAN", "create r3", "enable r3"]


def test_a_kubeconfig_of_another_cluster_makes_no_orphans(
    schedules: Schedules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedules.run("--apply")
    with answering(FakeApi()) as api:
        api.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        api.documents[WORKFLOWS] = {"items": []}
        assert schedules.run("--check", "--namespace", "rankloop")[0] == 0
    assert schedules.kfp.calls == ["create r1", "enable r1"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("shop = ", "shopp = ", "'weekly training': parameters: training has no parameter shopp; it has as_of"),
        ('shop = "/etc/rankloop/shop.toml", ', "", "'weekly training': parameters: training also needs shop=…"),
        ('"training"', '"serving"', "'weekly training': pipeline: found 'serving', expected training or monitoring"),
    ],
)
def test_a_schedule_that_its_pipeline_cannot_run_is_refused(
    schedules: Schedules, old: str, new: str, words: str
) -> None:
    schedules.write(FILE.replace(old, new))
    code, printed = schedules.run("--apply")
    assert code == 2
    assert words in printed
    assert schedules.kfp.seen == []
