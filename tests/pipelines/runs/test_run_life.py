"""Steps started one by one, as Kubeflow does, leave what a laptop's runner leaves: a run owns its life."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.home.layout import Home
from components.home.runs.lock import lock_holder
from components.home.runs.records import list_runs
from components.home.runs.step_records import read_records
from components.home.shop_note import read_shop_note
from tests.pipelines.conftest import ROOT, RunFake
from tests.pipelines.homes.tiny_shop import FEW, make_tiny_shop

pytestmark = pytest.mark.slow(seconds=40)

FAKES = "tests.pipelines.runs.fake_pipelines"
CALL = """
import json, sys
from importlib import import_module
from types import SimpleNamespace as Artifact
from kfp.dsl import PipelineTaskFinalStatus
module, name, arguments, artifacts, state = json.loads(sys.argv[1])
final = PipelineTaskFinalStatus(state, "pipelines/p", "p", None, None) if state else None
given = {key: Artifact(path=path) for key, path in artifacts.items()} | ({"status": final} if state else {})
getattr(import_module(module), name).python_func(**arguments, **given)
"""

Started = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Started:
    """Start a component's function in a process of its own, with plain arguments and the paths of its artifacts."""

    def start(module: str, name: str, state: str = "", artifacts: str = "", **arguments: Any) -> Any:
        paths = {kind: str(tmp_path / "artifacts" / kind) for kind in artifacts.split()}
        words = json.dumps([module, name, arguments, paths, state])
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", CALL, words]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    return start


def fake_run(start: Started, shop_file: Path, home: Home, run_id: str, mood: str = "calm") -> list[int]:
    """Start the steps of the fake pipeline; return their exit codes."""
    of_run = {"home": str(home.root), "run_id": run_id}
    codes = [start(FAKES, "first_step", artifacts="raw", shop=str(shop_file), mood=mood, **of_run).returncode]
    if codes == [0]:
        codes += [start(FAKES, "second_step", artifacts="raw", **of_run).returncode]
    state = "FAILED" if any(codes) else "SUCCEEDED"
    return [*codes, start(FAKES, "last_step", state, **of_run).returncode]


def document(home: Home, run_id: str) -> dict[str, Any]:
    """Read ``run.json`` without what differs from run to run."""
    found: dict[str, Any] = json.loads((home.run(run_id) / "run.json").read_text())
    return {name: value for name, value in found.items() if name not in ("run_id", "started", "seconds")}


def test_steps_without_a_runner_leave_what_a_laptops_runner_leaves(
    run_fake: RunFake, start: Started, shop_file: Path, home: Home, tmp_path: Path
) -> None:
    run_fake()
    (local,) = list_runs(home)
    other = Home(tmp_path / "other-home")
    assert fake_run(start, shop_file, other, "r1") == [0, 0, 0]
    assert document(other, "r1") == document(home, local.run_id)
    assert document(other, "r1") == {
        "pipeline": "training",
        "shop": "tiny",
        "shop_file": str(shop_file),
        "as_of": "2026-01-01T00:00:00+00:00",
        "state": "done",
        "error": None,
        "fingerprint": {"code": "c"},
        "environment": "local",
        "window_days": 14,
        "kubeflow_run": None,
        "link": None,
    }
    assert read_shop_note(other) == read_shop_note(home)
    assert (other.run("r1") / "result.json").exists()
    assert other.lock.read_text() == ""
    assert lock_holder(other) is None


def test_a_run_whose_step_is_killed_fails_with_the_reason(start: Started, shop_file: Path, home: Home) -> None:
    assert fake_run(start, shop_file, home, "r1", "vanish") == [-9, 0]
    (run,) = list_runs(home)
    assert run.state == "failed"
    assert (run.error or "").startswith("first_step: its process ended without a word")
    assert json.loads((home.run("r1") / "result.json").read_text())["error"] == run.error
    assert home.lock.read_text() == ""


def test_the_real_components_begin_and_end_a_run(start: Started, tmp_path: Path) -> None:
    shop_file, home = make_tiny_shop(tmp_path / "shop", FEW), Home(tmp_path / "home")
    of_run = {"home": str(home.root), "run_id": "r1"}
    asked = {"pipeline": "monitoring", "as_of": "latest", "environment": "staging", "window": "configured"}
    arguments = of_run | asked | {"shop": str(shop_file), "fingerprint": {}}
    begun = start("components.ingest_events.component", "ingest_events", artifacts="raw", **arguments)
    assert begun.returncode == 0, begun.stderr
    validated = start("components.validate_events.component", "validate_events", artifacts="raw clean", **of_run)
    assert validated.returncode == 0, validated.stderr
    ended = start("components.write_report.component", "write_report", "FAILED", **of_run)
    assert ended.returncode == 0, ended.stderr
    (run,) = list_runs(home)
    assert (run.state, run.environment, run.as_of, run.window_days) == ("failed", "staging", None, None)
    assert (run.error or "").startswith("the pipeline ended before a step could say why")
    assert set(read_records(home.run("r1"))) == {"ingest_events", "validate_events", "write_report"}
    assert (home.run("r1") / "report.html").exists()
