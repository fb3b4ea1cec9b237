"""Run a pipeline on this machine: hold the home, start the KFP process, show its steps, stop them on Ctrl-C."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from components.contracts.errors import RankloopError
from components.home.layout import Home
from components.home.runs.life import close_run, end_run, failure_of, require_home_of
from components.home.runs.lock import hold_lock
from components.home.runs.records import read_result
from components.home.runs.step_records import StepRecord, read_records
from components.home.runs.work_folder import work_folder
from components.home.storage.documents import write_document
from components.home.storage.locations import Location
from components.lake.resources import check_settings, usable_processors
from pipelines.runs.kfp_process import Job

POLL_SECONDS = 0.1
BUCKET_POLL_SECONDS = 1.0
LOG = "log.txt"
Show = Callable[[dict[str, StepRecord]], None]


class RunFailedError(RankloopError):
    """A step failed; the message is the step's own. ``document`` is the run's document."""

    def __init__(self, message: str, document: dict[str, Any]) -> None:
        super().__init__(message)
        self.document = document


def run_pipeline(
    home: Home, shop: str, run_id: str, pipeline: str, arguments: dict[str, Any], show: Show
) -> dict[str, StepRecord]:
    """Run ``module:function`` for a shop in its home and return the records of its steps.

    The first step begins the run and the exit handler ends it, here as anywhere; a run whose exit handler could not
    is ended here.

    Raises:
        HomeBusyError: another run holds the home.
        ConfigurationError: the home belongs to another shop or cannot be written, or the engine's limits are wrong.
        RunFailedError: a step failed.
    """
    check_settings()
    with hold_lock(home, run_id) as lock:
        require_home_of(home, shop)
        work = work_folder(home, run_id)
        _remove_scratch_of_killed_runs(work.parent)
        try:
            code = _watch(home, run_id, work, pipeline, arguments, show, lock)
        except BaseException as error:
            state = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            close_run(home, run_id, state, str(error) or state)
            raise
        finally:
            _keep_log(work, home.run(run_id))
        end_run(home, run_id, succeeded=code == 0)
    return _outcome(home, run_id, code, show)


def _keep_log(work: Path, run: Location) -> None:
    """Keep the log of a run whose home is in a bucket there, and nothing else of it here."""
    if work != run and (work / LOG).exists():
        with suppress(RankloopError):  # the run says itself that the bucket cannot be used
            write_document(run / LOG, (work / LOG).read_bytes())
            shutil.rmtree(work, ignore_errors=True)


def _watch(
    home: Home, run_id: str, work: Path, pipeline: str, arguments: dict[str, Any], show: Show, lock: int | None
) -> int:
    run = home.run(run_id)
    pause = POLL_SECONDS if isinstance(run, Path) else BUCKET_POLL_SECONDS
    shown = 0.0
    with _kfp_process(work, pipeline, arguments, lock) as process:
        while process.poll() is None:
            if time.monotonic() - shown >= pause:
                show(read_records(run))
                shown = time.monotonic()
            time.sleep(POLL_SECONDS)
    return process.returncode


def _outcome(home: Home, run_id: str, code: int, show: Show) -> dict[str, StepRecord]:
    folder = home.run(run_id)
    records = read_records(folder)
    show(records)
    if error := failure_of(records, folder, str(folder / LOG), succeeded=code == 0):
        raise RunFailedError(error, read_result(home, run_id) or {"run_id": run_id, "error": error})
    return records


@contextmanager
def _kfp_process(
    folder: Path, pipeline: str, arguments: dict[str, Any], lock: int | None
) -> Iterator[subprocess.Popen[bytes]]:
    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    leash, held = os.pipe()
    job = Job(pipeline, str(folder / "kfp"), leash, arguments)
    with (folder / LOG).open("ab") as log:
        process = _start(job, log, lock, scratch)
    os.close(leash)
    try:
        yield process
    finally:
        _end_group(process)
        os.close(held)
        shutil.rmtree(scratch, ignore_errors=True)


def _start(job: Job, log: IO[bytes], lock: int | None, scratch: Path) -> subprocess.Popen[bytes]:
    """Start the KFP process as its own group; a lock is its standard input, so every step inherits and holds it."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.runs.kfp_process", job.dump()],
        stdin=subprocess.DEVNULL if lock is None else lock,
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
        "PYTHONUTF8": "1",  # steps write files and a log, which do not follow the terminal's encoding
        "PYTHONIOENCODING": "utf-8",
        "TMPDIR": str(scratch),
        "OMP_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "PASSIVE",  # a thread that waits and spins takes the core from the thread it waits for
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


def _remove_scratch_of_killed_runs(folder: Path) -> None:
    for scratch in folder.glob("*/scratch"):
        shutil.rmtree(scratch, ignore_errors=True)
