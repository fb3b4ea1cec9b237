"""Run a pipeline on this machine: hold the home, start the KFP process, show its steps, keep what came of it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

from components.contracts.errors import ConfigurationError, RankloopError, no_space
from components.home.file_system import require_hard_links
from components.home.layout import Home
from components.home.lock import hold_lock
from components.home.runs import RunRecord, list_runs, save_run, write_json
from components.home.shop_note import ShopNote, read_shop_note, write_shop_note
from components.home.step_records import StepRecord, read_records
from components.lake.resources import check_settings, usable_processors
from pipelines.runs.kfp_process import Job

POLL_SECONDS = 0.1
LITTLE_BYTES = 2 << 20  # free space below which a step that ended without a word is taken to have run out of it
Show = Callable[[dict[str, StepRecord]], None]


class RunFailedError(RankloopError):
    """A step failed; the message is the step's own. ``document`` is what the run came to all the same."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.document: dict[str, Any] = {}


def run_pipeline(
    home: Home, run: RunRecord, pipeline: str, arguments: dict[str, Any], show: Show
) -> dict[str, StepRecord]:
    """Run ``module:function`` in the home and return its step records; ``run.json`` says how it went.

    Raises:
        HomeBusyError: another run holds the home.
        ConfigurationError: the home belongs to another shop or cannot be written, or the engine's limits are wrong.
        RunFailedError: a step failed.
    """
    check_settings()
    with hold_lock(home, run.run_id) as lock:
        require_hard_links(home.root)
        _claim(home, run)
        _close_killed_runs(home)
        save_run(home, run)
        began = time.monotonic()
        try:
            records = _watch(home, run.run_id, pipeline, arguments, show, lock)
        except BaseException as error:
            state = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            save_run(home, replace(run, state=state, seconds=_since(began), error=str(error) or state))
            raise
        save_run(home, replace(run, state="done", seconds=_since(began)))
        return records


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


def _claim(home: Home, run: RunRecord) -> None:
    """Note whose home this is; one home is one shop."""
    if home.shop_note.exists():
        owner = read_shop_note(home).shop
        if owner != run.shop:
            raise ConfigurationError(
                f"home {home.root}: belongs to the shop {owner!r}, found a run of {run.shop!r}; name another --home"
            )
    write_shop_note(home, ShopNote(run.shop, run.shop_file))


def _close_killed_runs(home: Home) -> None:
    for run in list_runs(home):
        if run.state == "killed":
            save_run(home, run)
            _remove_scratch(home.run(run.run_id))


def _watch(
    home: Home, run_id: str, pipeline: str, arguments: dict[str, Any], show: Show, lock: int
) -> dict[str, StepRecord]:
    folder = home.run(run_id)
    with _kfp_process(folder, pipeline, arguments, lock) as process:
        while process.poll() is None:
            show(read_records(folder))
            time.sleep(POLL_SECONDS)
    records = _ended_records(folder)
    show(records)
    _raise_for_failure(records, process.returncode, folder)
    return records


def _ended_records(folder: Path) -> dict[str, StepRecord]:
    """Read the records of a run that is over: a step that still says "running" was killed."""
    records = read_records(folder)
    for record in records.values():
        if record.state == "running":
            record.state, record.error = "failed", _silent_end(folder)
            write_json(folder / "steps" / f"{record.name}.json", asdict(record))
    return records


def _silent_end(folder: Path) -> str:
    if shutil.disk_usage(folder).free < LITTLE_BYTES:
        return no_space(str(folder))
    return f"its process ended without a word, as when memory ran out; log: {folder / 'log.txt'}"


@contextmanager
def _kfp_process(
    folder: Path, pipeline: str, arguments: dict[str, Any], lock: int
) -> Iterator[subprocess.Popen[bytes]]:
    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    leash, held = os.pipe()
    job = Job(pipeline, str(folder / "kfp"), leash, arguments)
    with (folder / "log.txt").open("ab") as log:
        process = _start(job, log, lock, scratch)
    os.close(leash)
    try:
        yield process
    finally:
        _end_group(process)
        os.close(held)
        _remove_scratch(folder)


def _start(job: Job, log: IO[bytes], lock: int, scratch: Path) -> subprocess.Popen[bytes]:
    """Start the KFP process as its own group; the lock is its standard input, so every step inherits and holds it."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.runs.kfp_process", job.dump()],
        stdin=lock,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=step_environment(scratch),
        pass_fds=(job.leash,),
        start_new_session=True,
    )


def step_environment(scratch: Path) -> dict[str, str]:
    """Return the environment of the steps: bytecode kept, threads bounded, hashes repeatable, nothing phoned home."""
    threads = str(min(usable_processors(), 4))
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {
        "PYTHONSAFEPATH": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",  # whatever the terminal's encoding: steps write files and a log
        "PYTHONIOENCODING": "utf-8",
        "TMPDIR": str(scratch),
        "OMP_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "PASSIVE",  # a thread that spins while it waits takes the core from whoever it waits for
        "OPENBLAS_NUM_THREADS": threads,
        "POLARS_MAX_THREADS": threads,
        "DO_NOT_TRACK": "1",
        "BENTOML_DO_NOT_TRACK": "True",
        "FEAST_USAGE": "False",
    }


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _remove_scratch(folder: Path) -> None:
    shutil.rmtree(folder / "scratch", ignore_errors=True)


def _raise_for_failure(records: dict[str, StepRecord], code: int, folder: Path) -> None:
    log = folder / "log.txt"
    for record in records.values():
        if record.state == "failed":
            seen = f"; its log: {log}" if (record.error or "").startswith("unexpected ") else ""
            raise RunFailedError(f"{record.name}: {record.error}{seen}")
    if code != 0:
        raise RunFailedError(f"the pipeline ended with code {code} before a step could say why; its log: {log}")
