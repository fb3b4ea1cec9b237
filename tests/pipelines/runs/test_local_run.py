"""The runner, over real KFP steps that do next to nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError, HomeBusyError
from components.contracts.handles import Handle
from components.home.layout import Home
from components.home.runs.lock import hold_lock, lock_holder
from components.home.runs.records import list_runs
from components.home.runs.step_records import read_records
from components.home.storage.documents import has_document, list_names
from pipelines.runs.local_run import RunFailedError, step_environment
from tests.pipelines.conftest import FAKE, ROOT, RunFake
from tests.waiting import until

pytestmark = pytest.mark.slow(seconds=15)


def test_steps_pass_handles_and_keep_records(run_fake: RunFake, home: Home) -> None:
    records = run_fake()
    assert list(records) == ["first_step", "second_step", "last_step"]
    assert all(record.state == "done" for record in records.values())
    assert records["first_step"].handles["raw"] == Handle("raw", "nowhere", as_of="2026-01-01T00:00:00+00:00")
    assert (records["first_step"].rows_in, records["first_step"].rows_out) == (3, 2)
    assert records["last_step"].facts == {"state": "SUCCEEDED"}
    (run,) = list_runs(home)
    assert run.state == "done"
    assert not (home.run(run.run_id) / "scratch").exists()


@pytest.mark.parametrize(
    ("mood", "words"),
    [
        ("refuse", "first_step: source: found nothing, expected rows; give it some"),
        ("stumble", "first_step: unexpected ZeroDivisionError: a slip of the pen; its log: "),
        ("vanish", "first_step: its process ended without a word"),
    ],
)
def test_a_failing_step_says_why_and_the_exit_step_still_runs(
    run_fake: RunFake, home: Home, mood: str, words: str
) -> None:
    with pytest.raises(RunFailedError) as failure:
        run_fake(mood)
    assert str(failure.value).startswith(words)
    (run,) = list_runs(home)
    assert (run.state, run.error) == ("failed", str(failure.value))
    records = read_records(home.run(run.run_id))
    assert list(records) == ["first_step", "last_step"]
    assert records["last_step"].facts == {"state": "FAILED"}
    assert (home.root / "runs" / run.run_id / "log.txt").read_text().count("Executing task") == 2  # each once
    run_fake()
    assert [run.state for run in list_runs(home)] == ["done", "failed"]


def test_a_home_is_one_shop(run_fake: RunFake) -> None:
    run_fake()
    with pytest.raises(ConfigurationError, match="belongs to the shop 'tiny', found a run of 'other'"):
        run_fake(shop="other")


def test_a_second_run_refuses_while_the_first_is_at_work(run_fake: RunFake, home: Home) -> None:
    with (
        hold_lock(home, "the-first"),
        pytest.raises(HomeBusyError, match=r"run the-first \(process \d+\) is at work in it"),
    ):
        run_fake()
    run_fake()


def test_a_killed_run_takes_its_steps_along_and_the_next_one_works(
    run_fake: RunFake, home: Home, tmp_path: Path
) -> None:
    runner = _start_sleeping_run(home, tmp_path)
    holder = _wait_for_first_step(home)
    assert holder == runner.pid
    with pytest.raises(HomeBusyError):
        run_fake()
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    assert all(record.state == "done" for record in run_fake().values())
    assert [run.state for run in list_runs(home)] == ["done", "killed"]
    assert lock_holder(home) is None


def _start_sleeping_run(home: Home, folder: Path) -> "subprocess.Popen[bytes]":
    code = f"""
from pathlib import Path
from components.home.layout import Home
from pipelines.runs.local_run import run_pipeline
from components.home.runs.records import new_run_id
home, run_id = Home(Path({str(home.root)!r})), new_run_id()
arguments = dict(shop={str(folder / "tiny.toml")!r}, home=str(home.root), run_id=run_id, mood="sleep")
run_pipeline(home, "tiny", run_id, {FAKE!r}, arguments, lambda records: None)
"""
    return subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)})


def _wait_for_first_step(home: Home) -> int:
    """Wait until the first step is at work; return the process that holds the home."""
    until(lambda: any(has_document(home.runs / name / "steps" / "first_step.json") for name in list_names(home.runs)))
    holder = lock_holder(home)
    assert holder is not None
    return holder.pid


def test_steps_keep_bytecode_and_are_repeatable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = step_environment(tmp_path)
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    assert environment["PYTHONHASHSEED"] == "0"
    assert environment["TMPDIR"] == str(tmp_path)
