"""What KFP 2.17 never deletes: archived runs, runs of homes that are gone, versions that nothing names, artifacts.

Only what belongs to our pipelines is looked at. A version stays if it is the newest one of its pipeline, or the one
that this code compiles to, or if a recurring run or a run that has not ended names it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import obstore
from kfp.client import Client
from kfp_server_api.exceptions import ApiException

from components.contracts.steps.declared import PIPELINES
from components.home.storage.bucket import readable_errors, store_of
from components.home.storage.locations import BucketPath
from pipelines.kubeflow.client import ENDED, NOT_FOUND

PAGE = 100
ARCHIVED = "ARCHIVED"


@dataclass(frozen=True)
class Rules:
    """What may go: what is older than ``age``, and every run of ``old_homes`` that has ended."""

    age: timedelta
    old_homes: frozenset[str] = frozenset()
    kept_versions: frozenset[str] = frozenset()  # by name
    pipeline_root: BucketPath | None = None  # where KFP keeps artifacts; None: they are left


@dataclass(frozen=True)
class Inventory:
    """What KFP holds of our pipelines, and what recurring runs name."""

    runs: list[Any]
    versions: list[Any]
    recurring_runs: list[Any]


@dataclass(frozen=True)
class Removal:
    """One thing that may go, and why."""

    kind: str  # run, version or artifacts
    id: str
    name: str
    since: datetime
    reason: str
    pipeline_id: str | None = None  # of a version
    keys: tuple[str, ...] = ()  # of artifacts


def read_inventory(client: Client, namespace: str | None) -> Inventory:
    """Read everything of our pipelines, page by page."""
    place = {"namespace": namespace} if namespace else {}
    listed = _all(client._pipelines_api.pipeline_service_list_pipelines, "pipelines", **place)
    pipelines = [one.pipeline_id for one in listed if one.display_name in PIPELINES]
    versions = client._pipelines_api.pipeline_service_list_pipeline_versions
    runs = _all(client._run_api.run_service_list_runs, "runs", **place)
    recurring = client._recurring_run_api.recurring_run_service_list_recurring_runs
    return Inventory(
        [run for run in runs if _named(run) and _named(run).pipeline_id in pipelines],
        [one for pipeline in pipelines for one in _all(versions, "pipeline_versions", pipeline_id=pipeline)],
        list(_all(recurring, "recurring_runs", **place)),
    )


def removals(inventory: Inventory, rules: Rules, now: datetime) -> list[Removal]:
    """Return the runs and versions that may go, the oldest first."""
    found = [*_runs(inventory, rules, now), *_versions(inventory, rules, now)]
    return sorted(found, key=lambda removal: (removal.kind, removal.since))


def artifact_removals(inventory: Inventory, rules: Rules, now: datetime) -> list[Removal]:
    """Return the artifacts of each run that may go: those whose newest object is too old.

    Raises:
        ConfigurationError, StorageError: the bucket cannot be read.
    """
    if rules.pipeline_root is None:
        return []
    working = {run.run_id for run in inventory.runs if run.state not in ENDED}
    groups: dict[str, list[tuple[str, datetime]]] = {}
    for key, moment in _objects(rules.pipeline_root):
        if run := _run_of(key):
            groups.setdefault(run, []).append((key, moment))
    newest = {run: max(moment for _, moment in objects) for run, objects in groups.items()}
    return [
        Removal(
            "artifacts",
            run,
            f"{len(groups[run])} objects",
            newest[run],
            "no run has used them for so long",
            keys=tuple(key for key, _ in groups[run]),
        )
        for run in sorted(groups, key=lambda run: newest[run])
        if now - newest[run] > rules.age and run not in working
    ]


def remove(client: Client, rules: Rules, removal: Removal) -> None:
    """Delete one thing; what is gone already, is gone."""
    calls: dict[str, Callable[[], Any]] = {
        "run": lambda: client.delete_run(removal.id),
        "version": lambda: client.delete_pipeline_version(removal.pipeline_id, removal.id),
        "artifacts": lambda: _delete(rules.pipeline_root, removal.keys),
    }
    try:
        calls[removal.kind]()
    except ApiException as error:
        if error.status != NOT_FOUND:
            raise


def _runs(inventory: Inventory, rules: Rules, now: datetime) -> Iterator[Removal]:
    for run in (run for run in inventory.runs if run.state in ENDED):
        since = run.finished_at or run.created_at
        home = str(((run.runtime_config.parameters if run.runtime_config else None) or {}).get("home", ""))
        if home.rstrip("/") in rules.old_homes:
            yield Removal("run", run.run_id, run.display_name, since, f"of the old home {home}")
        elif run.storage_state == ARCHIVED and now - since > rules.age:
            yield Removal("run", run.run_id, run.display_name, since, "archived")


def _versions(inventory: Inventory, rules: Rules, now: datetime) -> Iterator[Removal]:
    users = [*inventory.recurring_runs, *(run for run in inventory.runs if run.state not in ENDED)]
    used = {_named(user).pipeline_version_id for user in users if _named(user)}
    newest = {one.pipeline_id: one for one in sorted(inventory.versions, key=lambda one: one.created_at)}
    for one in inventory.versions:
        is_kept = one.name in rules.kept_versions or one.pipeline_version_id in used or one in newest.values()
        if not is_kept and now - one.created_at > rules.age:
            reason = "no schedule names it"
            yield Removal("version", one.pipeline_version_id, one.name, one.created_at, reason, one.pipeline_id)


def _named(user: Any) -> Any:
    """Return the pipeline and version that a run names, None where it brought its own."""
    return user.pipeline_version_reference


def _all(listed: Callable[..., Any], field: str, **arguments: Any) -> Iterator[Any]:
    token = ""
    while True:
        answer = listed(page_size=PAGE, page_token=token, **arguments)
        yield from getattr(answer, field) or []
        if not (token := answer.next_page_token):
            return


def _objects(root: BucketPath) -> Iterator[tuple[str, datetime]]:
    with readable_errors(root):
        for page in obstore.list(store_of(root), prefix=root.key or None):
            for one in page:
                yield one["path"], one["last_modified"]


def _run_of(key: str) -> str | None:
    """Return the run that an object belongs to: the part of its key after the name of one of our pipelines."""
    folders = PurePosixPath(key).parent.parts
    return next((run for pipeline, run in pairwise(folders) if pipeline in PIPELINES), None)


def _delete(root: BucketPath | None, keys: tuple[str, ...]) -> None:
    assert root is not None
    with readable_errors(root):
        obstore.delete(store_of(root), list(keys))
