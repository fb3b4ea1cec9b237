"""What `rankloop schedules` does: read the file, compile its pipelines, compare or reconcile."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipelines.compiled import compile_package, version_name
from pipelines.kubeflow.access import Access
from pipelines.kubeflow.client import open_client, translated_errors
from pipelines.kubeflow.patience import Patience
from pipelines.kubeflow.submission import typed_parameters
from pipelines.kubeflow.versions import Version, upload_if_new
from pipelines.schedules.orphans import ORPHANED, orphans
from pipelines.schedules.planner import SAME, Delete, Step, Wanted, difference
from pipelines.schedules.reconciliation import reconcile
from pipelines.schedules.recurring_runs import KfpScheduler, Recurring, own_parameters
from pipelines.schedules.schedule_file import Schedule, ScheduleFile, read_schedules


@dataclass(frozen=True)
class Comparison:
    """One schedule, and how KFP differs from the file."""

    name: str
    pipeline: str | None  # None: it is not in the file
    cron: str | None
    state: str
    ids: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Say whether KFP holds what the file says."""
        return self.state == SAME


def compare(file: Path, access: Access, new_patience: Callable[[], Patience]) -> list[Comparison]:
    """Compare KFP's recurring runs with the file; change nothing.

    Raises:
        ConfigurationError: the file is wrong.
        SubmissionError: KFP cannot be reached or refuses.
    """
    with tempfile.TemporaryDirectory() as folder, translated_errors(access.host):
        scheduler, wanted = _scheduler(file, access, Path(folder), new_patience)
        return _comparisons(scheduler, wanted, access.namespace)


def apply(
    file: Path, access: Access, prune: bool, new_patience: Callable[[], Patience], say: Callable[[Step], None]
) -> tuple[list[Comparison], int]:
    """Make KFP's recurring runs what the file says; return how they are then, and how many calls it took.

    Raises:
        ConfigurationError: the file is wrong.
        SubmissionError: KFP cannot be reached or refuses.
        ScheduleError: something else changes the same recurring runs all the time.
    """
    with tempfile.TemporaryDirectory() as folder, translated_errors(access.host):
        scheduler, wanted = _scheduler(file, access, Path(folder), new_patience)
        names = {one.schedule.name for one in wanted}
        calls = _delete_orphans(scheduler, names, say)
        calls += reconcile([one.wanted for one in wanted], scheduler, prune, say)
        return _comparisons(scheduler, wanted, access.namespace), calls


def _delete_orphans(scheduler: KfpScheduler, names: set[str], say: Callable[[Step], None]) -> int:
    """Delete what is enabled and starts nothing, as after its namespace was deleted; return how many there were."""
    enabled = [run for run in scheduler.listing().runs if run.enabled and run.name in names]
    orphaned = [Delete(run) for run in enabled if scheduler.is_orphaned(run)]
    for call in orphaned:
        say(call)
        scheduler.perform(call)
    return len(orphaned)


def _scheduler(
    file: Path, access: Access, folder: Path, new_patience: Callable[[], Patience]
) -> tuple[KfpScheduler, list[Recurring]]:
    schedules = read_schedules(file)
    packages = {name: folder / f"{name}.yaml" for name in sorted({one.pipeline for one in schedules.schedules})}
    compiled = {name: compile_package(name, package) for name, package in packages.items()}
    names = {name: version_name(documents) for name, documents in compiled.items()}
    wanted = [
        _recurring(file, schedules, one, names[one.pipeline], compiled[one.pipeline][0]) for one in schedules.schedules
    ]
    client = open_client(access)

    @cache
    def upload(pipeline: str) -> Version:
        return upload_if_new(client, packages[pipeline], names[pipeline], access.namespace)

    return KfpScheduler(client, schedules, wanted, access.namespace, upload, new_patience), wanted


def _recurring(
    file: Path, schedules: ScheduleFile, schedule: Schedule, version: str, specification: dict[str, Any]
) -> Recurring:
    """Return all that a recurring run of a schedule holds; its parameters must be those of its pipeline."""
    ours, where = own_parameters(version), f"{file}: {schedule.name!r}: parameters"
    given = typed_parameters(schedule.parameters, specification, schedule.pipeline, ours, where)
    return Recurring(schedule, schedules.owner, schedules.zone, schedules.experiment, version, ours | given)


def _comparisons(scheduler: KfpScheduler, recurring_runs: list[Recurring], namespace: str | None) -> list[Comparison]:
    runs = scheduler.listing().runs
    orphaned = orphans(runs, namespace, scheduler.is_orphaned)
    ours = {one.schedule.name: one for one in recurring_runs}
    names = [*ours, *sorted({run.name for run in runs} - set(ours))]
    return [_comparison(name, ours.get(name), [run for run in runs if run.name == name], orphaned) for name in names]


def _comparison(name: str, one: Recurring | None, runs: list[Any], orphaned: frozenset[str]) -> Comparison:
    wanted: Wanted | None = one.wanted if one else None
    schedule = one.schedule if one else None
    ids = tuple(run.id for run in runs)
    state = ORPHANED if orphaned.intersection(ids) else difference(wanted, runs)
    return Comparison(name, schedule.pipeline if schedule else None, schedule.cron if schedule else None, state, ids)
