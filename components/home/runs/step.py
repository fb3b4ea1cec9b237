"""A step at work: what it gets from its run, and the record that it keeps of itself.

::

    first_step     begins the run and takes its home      ingest_events
    recorded_step  reads the run, holds the home          the steps between
    last_step      ends the run and lets the home go      write_report, the exit handler
"""

import atexit
import gc
import resource
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.contracts.errors import ConfigurationError, RankloopError, is_out_of_space, no_space
from components.contracts.handles import Handle, read_handle, write_handle
from components.contracts.moments import read_moment
from components.contracts.steps.declared import StepResult
from components.contracts.steps.facts import facts_document
from components.contracts.urls import without_users
from components.home.beside import beside
from components.home.control_groups import memory_limit
from components.home.layout import Home
from components.home.runs.kubeflow import begun_id, first_id, kubeflow_link, kubeflow_run
from components.home.runs.life import begin_run, close_killed_steps, end_run
from components.home.runs.lock import run_lock
from components.home.runs.records import RunRecord, has_run, read_run, read_shop
from components.home.runs.step_records import StepRecord, read_records, save_peak
from components.home.storage.locations import parse_location
from components.shop.settings import Shop

# Words that stand for None in a pipeline's parameters: KFP's local runner fails on optional ones that are not given.
LATEST = "latest"  # as-of: the end of the last complete day
CONFIGURED = "configured"  # window: as the shop file says
PEAK_SECONDS, GROWTH = 1.0, 1.05  # how often a step's memory is measured, and how much more of it is written down


class Step:
    """A step at work: its home, its run and the run's shop, and the record it keeps."""

    def __init__(self, name: str, home: Home, run: RunRecord) -> None:
        self.home = home
        self.run = run
        self.folder = home.run(run.run_id)
        self.record = StepRecord(name=name, started=time.time(), limit_mb=_limit_mb())
        self._saved_peak_mb = 0.0

    @property
    def shop(self) -> Shop:
        """The shop whose file the run was begun with."""
        return read_shop(Path(self.run.shop_file))

    @property
    def now(self) -> datetime:
        """This moment, with a zone."""
        return datetime.now(UTC)

    @property
    def records(self) -> dict[str, StepRecord]:
        """What the steps of the run have left about themselves so far, this one among them."""
        return read_records(self.folder)

    def say(self, progress: str) -> None:
        """Show what the step is doing, in a few words."""
        self.record.progress = progress
        self.save()

    def read(self, kind: str, path: str | Path) -> Handle:
        """Read the handle of a kind that an earlier step left at the path of a KFP artifact."""
        return read_handle(path, kind)

    def finish(self, path: str | Path, result: StepResult[Any]) -> None:
        """Write the result's handle to the path of a KFP artifact, and keep the result in the record."""
        write_handle(path, result.handle)
        self.record.handles[result.handle.kind] = result.handle
        self.record.rows_in, self.record.rows_out = result.rows_in, result.rows_out
        self.record.facts = facts_document(result.facts)
        self.record.warnings = list(result.warnings)

    def save(self) -> None:
        """Write the record with the time and memory that the step has taken so far."""
        self.record.seconds = round(time.time() - self.record.started, 3)
        self.record.peak_mb = _peak_mb()
        self.record.save(self.folder)

    def save_peak(self) -> None:
        """Write how much memory the step has used, if that has grown: one that is killed for it says nothing."""
        if (peak_mb := _peak_mb()) > GROWTH * self._saved_peak_mb:
            save_peak(self.folder, self.record.name, peak_mb)
            self._saved_peak_mb = peak_mb


def _peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _limit_mb() -> float | None:
    limit = memory_limit()
    return None if limit is None else round(limit / 2**20, 1)


@contextmanager
def first_step(
    name: str,
    home: str,
    run_id: str,
    shop_file: str,
    pipeline: str,
    as_of: str,
    environment: str,
    window: str,
    fingerprint: dict[str, str],
) -> Iterator[Step]:
    """Begin a run, then run its first step's body; what the run was asked is read here, once, for all its steps.

    Args:
        as_of: ISO 8601, or ``latest``; window: a number of days, or ``configured``.

    Raises:
        SystemExit: the run cannot begin, or the body raised a RankloopError.
    """
    with _one_line(name):
        place, shop = Home(parse_location(home)), read_shop(Path(shop_file))
        run_id = first_id(place, run_id)
        run = RunRecord(
            run_id=run_id,
            pipeline=pipeline,
            shop=shop.name,
            shop_file=shop_file,
            as_of=None if as_of == LATEST else read_moment(as_of, shop.zone).isoformat(),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            fingerprint=dict(sorted(fingerprint.items())),  # KFP hands them over in any order
            environment=environment,
            window_days=_days(window),
            kubeflow_run=kubeflow_run(),
            link=kubeflow_link(),
        )
        begin_run(place, run)
    with recorded_step(name, home, run_id) as step:
        yield step


def _days(window: str) -> int | None:
    if window == CONFIGURED:
        return None
    if not window.isdecimal():
        raise ConfigurationError(f"window: found {window!r}, expected a number of days, or {CONFIGURED!r}")
    return int(window)


@contextmanager
def recorded_step(name: str, home: str, run_id: str) -> Iterator[Step]:
    """Run a step's body, keep its record, and turn a deliberate error into one line and exit code 1.

    The step's process ends without a last garbage collection, which takes 0.8 s after Evidently or Feast was imported.

    Raises:
        SystemExit: the run has not begun, its home went to another run, or the body raised a RankloopError; of the
            last two the record holds the message.
    """
    atexit.register(gc.freeze)
    with _one_line(name):
        place = Home(parse_location(home))
        step = Step(name, place, read_run(place, begun_id(place, run_id)))
    with _one_line(name), _recorded(step), run_lock(place).hold(step.run.run_id):
        yield step


def has_succeeded(state: str) -> bool:
    """Say whether the steps that an exit handler waits for did, by the state that KFP gives it.

    The local runner says what kfp documents, SUCCEEDED; on a cluster it is COMPLETE.
    """
    return state in ("SUCCEEDED", "COMPLETE")


@contextmanager
def last_step(name: str, home: str, run_id: str, succeeded: bool) -> Iterator[Step]:
    """Run the exit handler's body, then end the run, however the body ended; ``succeeded``: so did the other steps.

    Those that were killed are closed before it, so that the body knows why. Where an earlier try has ended the run,
    and its pod went before anybody saw it, the home may be another run's by now: nothing is done, with exit code 0.

    Raises:
        SystemExit: as ``recorded_step``.
    """
    with _one_line(name):
        if _has_ended(Home(parse_location(home)), run_id, name):
            raise SystemExit(0)
    try:
        with recorded_step(name, home, run_id) as step:
            close_killed_steps(step.home, step.run, besides=name)
            yield step
    finally:
        with _one_line(name):
            place = Home(parse_location(home))
            run_id = begun_id(place, run_id)
            end_run(place, run_id, succeeded)
            run_lock(place).release(run_id)


def _has_ended(home: Home, run_id: str, step: str) -> bool:
    """Say whether a run is over, and its last step did all that it had to do."""
    run_id = begun_id(home, run_id)
    if not has_run(home, run_id):
        return False
    run = read_run(home, run_id)
    record = read_records(home.run(run_id)).get(step)
    return run.state != "running" and record is not None and record.state == "done"


@contextmanager
def _recorded(step: Step) -> Iterator[None]:
    step.save()
    try:
        with beside(step.save_peak, PEAK_SECONDS, "peak"):
            yield
    except RankloopError as error:
        _fail(step, str(error))
        raise
    except Exception as error:
        traceback.print_exc()
        _fail(step, _unexpected(error, step.home))
        raise
    step.record.state = "done"
    step.save()


@contextmanager
def _one_line(name: str) -> Iterator[None]:
    try:
        yield
    except RankloopError as error:
        print(f"{name}: {without_users(str(error))}", file=sys.stderr)
        raise SystemExit(1) from error


def _fail(step: Step, message: str) -> None:
    step.record.state, step.record.error = "failed", without_users(message)
    step.save()


def _unexpected(error: Exception, home: Home) -> str:
    if is_out_of_space(error):
        return no_space(f"{home.root} or of the temporary folder")
    if isinstance(error, MemoryError):
        return "no memory is left; close other programs or lower features.max_history or training.max_requests"
    return f"unexpected {type(error).__name__}: {error}".splitlines()[0]
