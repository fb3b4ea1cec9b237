"""Steps of a run without a runner: what begins, holds and ends it, and what becomes of a run that loses its home."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event

import pytest

from components.contracts.errors import HomeBusyError, SourceError
from components.home.layout import Home
from components.home.runs.lock import hold_lock, lock_holder, run_lock
from components.home.runs.records import list_runs, read_result
from components.home.runs.step import Step, first_step, has_succeeded, last_step, recorded_step
from components.home.runs.step_records import read_records
from components.home.shop_note import ShopNote, read_shop_note, write_shop_note
from components.home.storage.locations import BucketPath
from tests.shop_files import TINY_SHOP


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def begin(
    home: Home, run_id: str = "r1", as_of: str = "latest", window: str = "configured", folder: Path | None = None
) -> AbstractContextManager[Step]:
    shop_file = (folder or Path(str(home.root)).parent) / "tiny.toml"
    shop_file.write_text(TINY_SHOP)
    return first_step(
        "ingest_events", str(home.root), run_id, str(shop_file), "training", as_of, "staging", window, {"code": "c"}
    )


def end(home: Home, succeeded: bool, run_id: str = "r1") -> AbstractContextManager[Step]:
    return last_step("write_report", str(home.root), run_id, succeeded)


def step(home: Home, name: str = "validate_events", run_id: str = "r1") -> AbstractContextManager[Step]:
    return recorded_step(name, str(home.root), run_id)


def test_a_run_says_what_it_was_asked_to_all_its_steps(home: Home) -> None:
    with begin(home, as_of="2017-08-28", window="14"):
        assert [run.state for run in list_runs(home)] == ["running"]
    assert read_shop_note(home).shop == "tiny"
    with step(home) as working:
        assert working.shop.name == "tiny"
        assert working.run.as_of == "2017-08-28T00:00:00+00:00"
        assert (working.run.environment, working.run.window_days) == ("staging", 14)
        assert working.run.fingerprint == {"code": "c"}
    with end(home, succeeded=True) as last:
        assert list(last.records) == ["ingest_events", "validate_events", "write_report"]
    (run,) = list_runs(home)
    assert (run.state, run.error) == ("done", None)
    assert (read_result(home, "r1") or {})["run_id"] == "r1"
    assert home.lock.read_text() == ""


def test_a_run_has_succeeded_where_kfp_says_so_in_either_of_its_words() -> None:
    """FAILED is said of a step that ended badly, RUNNING where its pod went before it could say anything."""
    said = ("SUCCEEDED", "COMPLETE", "FAILED", "RUNNING", "CANCELED", "")
    assert [state for state in said if has_succeeded(state)] == ["SUCCEEDED", "COMPLETE"]


def test_a_failed_step_is_the_reason_of_its_run(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), begin(home):
        raise SourceError("source: found nothing, expected rows; give it some")
    with end(home, succeeded=False):
        pass
    (run,) = list_runs(home)
    assert (run.state, run.error) == ("failed", "ingest_events: source: found nothing, expected rows; give it some")
    assert (read_result(home, "r1") or {})["error"] == run.error
    assert capsys.readouterr().err.splitlines() == [run.error]
    with begin(home, "r2"):
        pass


KILLED = """
import os, sys, time
from pathlib import Path
from components.home import control_groups
from components.home.runs import step
home, control_groups.GROUPS, control_groups.OWN_GROUP = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[2]) / "own"
step.PEAK_SECONDS = 0.01
with step.recorded_step("train_ranker", home, "r1") as training:
    held = bytearray(b"x") * (300 << 20)
    while not (peak := training.folder / "steps" / "train_ranker.peak").exists() or float(peak.read_text()) < 300:
        time.sleep(0.01)
    os.kill(os.getpid(), 9)
"""


def test_a_step_that_is_killed_is_named_with_its_limit_of_memory_and_its_peak(home: Home, tmp_path: Path) -> None:
    with begin(home):
        pass
    (tmp_path / "own").write_text("0::/\n")
    (tmp_path / "memory.max").write_text(str(400 << 20))
    ended = subprocess.run([sys.executable, "-c", KILLED, str(home.root), str(tmp_path)], check=False)
    assert ended.returncode == -9
    with end(home, succeeded=False) as last:
        killed = last.records["train_ranker"]  # as the report sees it
        assert (killed.state, killed.limit_mb) == ("failed", 400.0)
        assert killed.peak_mb > 300
    (run,) = list_runs(home)
    assert run.error == (
        f"train_ranker: its process ended without a word, as when memory ran out; its last measured peak was"
        f" {killed.peak_mb:.0f} MB, its limit 400 MB; if that is close, give the step more memory;"
        f" log: {home.run('r1') / 'log.txt'}"
    )


def test_a_last_step_whose_earlier_try_ended_the_run_does_nothing(bucket: BucketPath, tmp_path: Path) -> None:
    home = Home(bucket)
    for run_id in ("r1", "r2"):  # the home is the second run's meanwhile
        with begin(home, run_id, folder=tmp_path):
            pass
        if run_id == "r1":
            with end(home, succeeded=True):
                pass
    with pytest.raises(SystemExit) as ended, end(home, succeeded=True):
        raise AssertionError("the report was written again")
    assert ended.value.code == 0
    assert {run.run_id: run.state for run in list_runs(home)} == {"r1": "done", "r2": "running"}
    assert read_records(home.run("r1"))["write_report"].state == "done"


def test_a_run_ends_also_when_its_report_fails(home: Home) -> None:
    with begin(home):
        pass
    with pytest.raises(ZeroDivisionError), end(home, succeeded=True):
        raise ZeroDivisionError("a slip of the pen")
    (run,) = list_runs(home)
    assert run.state == "failed"
    assert (run.error or "").startswith("write_report: unexpected ZeroDivisionError: a slip of the pen; its log: ")
    assert home.lock.read_text() == ""


def test_a_run_that_dies_before_its_first_step_leaves_nothing(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), end(home, succeeded=False):
        raise AssertionError("there is nothing to report on")
    assert "write_report: run r1: found no " in capsys.readouterr().err
    assert list_runs(home) == []
    assert lock_holder(home) is None


def test_a_run_that_dies_before_it_is_written_down_gives_up_its_lease(bucket: BucketPath) -> None:
    home = Home(bucket)
    run_lock(home).acquire("r1")
    assert lock_holder(home) is not None
    with pytest.raises(SystemExit), end(home, succeeded=False):
        raise AssertionError("there is nothing to report on")
    assert lock_holder(home) is None


def test_a_run_that_lost_its_home_between_two_steps_ends_with_the_reason(home: Home) -> None:
    with begin(home):
        pass
    with hold_lock(home, "forget"):
        pass
    with pytest.raises(SystemExit), step(home):
        raise AssertionError("a step worked in a home that went to another")
    with pytest.raises(SystemExit), end(home, succeeded=False):
        pass
    (run,) = list_runs(home)
    assert run.state == "failed"
    assert (run.error or "").startswith(
        f"validate_events: home {home.root}: found it taken by run forget, expected run r1, which has lost it"
    )
    assert json.loads(home.lock.read_text())["run_id"] == "forget"


def test_a_second_run_closes_the_first_one_that_lost_its_home(home: Home) -> None:
    with begin(home):
        pass
    with begin(home, "r2"):
        pass
    with pytest.raises(SystemExit), end(home, succeeded=True):
        pass
    assert {run.run_id: run.state for run in list_runs(home)}["r1"] == "killed"
    with end(home, succeeded=True, run_id="r2"):
        pass
    assert [run.state for run in list_runs(home)] == ["done", "killed"]


def test_no_run_begins_while_a_step_of_another_works(home: Home) -> None:
    run_lock(home).acquire("r1")
    with run_lock(home).hold("r1"), run_lock(home).hold("r1"):  # steps of a run may work at the same time
        with pytest.raises(HomeBusyError, match=r"run r1 \(process \d+\) is at work in it"):
            run_lock(home).acquire("r2")
        with pytest.raises(SystemExit):
            begin(home, "r2").__enter__()
    assert list_runs(home) == []


def test_another_process_sees_which_run_works_and_which_was_killed(home: Home) -> None:
    with begin(home):
        pass
    working = (
        "import sys; from pathlib import Path; from components.home.layout import Home;"
        "from components.home.runs.lock import run_lock\n"
        "with run_lock(Home(Path(sys.argv[1]))).hold('r1'): print('at work', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", working, str(home.root)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        holder = lock_holder(home)
        assert (holder and holder.run_id, [run.state for run in list_runs(home)]) == ("r1", ["running"])
        process.kill()
    assert (lock_holder(home), [run.state for run in list_runs(home)]) == (None, ["killed"])


def test_looks_at_a_lock_keep_nobody_from_taking_it(home: Home) -> None:
    run_lock(home).acquire("r1")
    ended = Event()

    def look() -> None:
        while not ended.is_set():
            lock_holder(home)

    with ThreadPoolExecutor(2) as pool:
        looks = [pool.submit(look) for _ in range(2)]
        try:
            for _ in range(200):
                with run_lock(home).hold("r1"):
                    pass
        finally:
            ended.set()
    assert [look.result() for look in looks] == [None, None]
    assert lock_holder(home) is None


def test_steps_work_under_the_lock_that_their_runner_holds(home: Home) -> None:
    with hold_lock(home, "r1"):
        with begin(home), step(home):
            assert [run.state for run in list_runs(home)] == ["running"]
        with end(home, succeeded=True):
            pass
        holder = lock_holder(home)
        assert holder is not None
        assert holder.run_id == "r1"
    assert [run.state for run in list_runs(home)] == ["done"]


def test_a_home_of_another_shop_is_left_as_it_is(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.root.mkdir()
    write_shop_note(home, ShopNote("other", "other.toml"))
    with pytest.raises(SystemExit):
        begin(home).__enter__()
    assert "belongs to the shop 'other', found a run of 'tiny'" in capsys.readouterr().err
    assert list_runs(home) == []
    assert read_shop_note(home) == ShopNote("other", "other.toml")


def test_a_window_that_is_no_number_is_refused_in_one_line(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        begin(home, window="a week").__enter__()
    assert capsys.readouterr().err == (
        "ingest_events: window: found 'a week', expected a number of days, or 'configured'\n"
    )
