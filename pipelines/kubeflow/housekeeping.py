"""What KFP 2.17 never deletes: archived runs, runs of homes that are gone, versions that nothing names, artifacts.

Only what is ours is looked at: versions of our pipelines that are named as this code names them, and the runs that name
one. A version stays if it is the newest one of its pipeline, or the one that this code compiles to, or if a recurring
run or any run names it: by its version a run is known to be ours.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from kfp.client import Client

from components.contracts.steps.declared import PIPELINES
from components.home.storage.documents import StoredObject, objects_below, remove_documents
from components.home.storage.locations import BucketPath
from pipelines.kubeflow.client import ENDED, NOT_FOUND, ignoring, in_namespace, pages

ARCHIVED = "ARCHIVED"
VERSION = re.compile(rf"({'|'.join(PIPELINES)})-[0-9a-f]{{12}}")  # a shared KFP may hold a pipeline of the same name


@dataclass(frozen=True)
class Rules:
    """What may go: what is older than ``age``, and every run of ``old_homes`` that has ended."""

    age: timedelta
    old_homes: frozenset[str] = frozenset()
    kept_versions: frozenset[str] = frozenset()  # by name
    pipeline_root: BucketPath | None = None  # where KFP keeps artifacts; None: they are left


@dataclass(frozen=True)
class Inventory:
    """What KFP holds of ours, and what recurring runs name."""

    runs: list[Any]
    versions: list[Any]
    recurring_runs: list[Any]
    other_runs: frozenset[str] = frozenset()  # the ids of those that are not ours


@dataclass(frozen=True)
class Removal:
    """One thing that may go, and why."""

    kind: str  # run, version or artifacts
    id: str
    name: str
    since: datetime
    reason: str
    pipeline_id: str | None = None  # of a version
    objects: tuple[BucketPath, ...] = ()  # of artifacts


def read_inventory(client: Client, namespace: str | None) -> Inventory:
    """Read everything that is ours, page by page."""
    place = in_namespace(namespace)
    listed = _all(client._pipelines_api.pipeline_service_list_pipelines_with_http_info, "pipelines", **place)
    pipelines = [one.pipeline_id for one in listed if one.display_name in PIPELINES]
    listing = client._pipelines_api.pipeline_service_list_pipeline_versions_with_http_info
    listed = (one for pipeline in pipelines for one in _all(listing, "pipeline_versions", pipeline_id=pipeline))
    versions = [version for version in listed if VERSION.fullmatch(version.name or "")]
    ids = {version.pipeline_version_id for version in versions}
    runs = list(_all(client._run_api.run_service_list_runs_with_http_info, "runs", **place))
    recurring = client._recurring_run_api.recurring_run_service_list_recurring_runs_with_http_info
    return Inventory(
        [run for run in runs if _version_id(run) in ids],
        versions,
        list(_all(recurring, "recurring_runs", **place)),
        frozenset(run.run_id for run in runs if _version_id(run) not in ids),
    )


def removals(inventory: Inventory, rules: Rules, now: datetime) -> list[Removal]:
    """Return the runs and versions that may go, the oldest first."""
    removable = [*_runs(inventory, rules, now), *_versions(inventory, rules, now)]
    return sorted(removable, key=lambda removal: (removal.kind, removal.since))


def artifact_removals(inventory: Inventory, rules: Rules, now: datetime) -> list[Removal]:
    """Return the artifacts of each run that may go: those whose newest object is too old.

    Raises:
        ConfigurationError, StorageError: the bucket cannot be read.
    """
    if (root := rules.pipeline_root) is None:
        return []
    kept = inventory.other_runs | {run.run_id for run in inventory.runs if run.state not in ENDED}
    groups: dict[str, list[StoredObject]] = {}
    for each in objects_below(root):
        if run := _run_of(each.location.relative_to(root)):
            groups.setdefault(run, []).append(each)
    newest = {run: max(each.modified for each in objects) for run, objects in groups.items()}
    return [
        Removal(
            "artifacts",
            run,
            f"{len(groups[run])} objects",
            newest[run],
            "no run has used them for so long",
            objects=tuple(each.location for each in groups[run]),
        )
        for run in sorted(groups, key=lambda run: newest[run])
        if now - newest[run] > rules.age and run not in kept
    ]


def remove(client: Client, removal: Removal) -> None:
    """Delete one thing; what is gone already, is gone."""
    calls: dict[str, Callable[[], Any]] = {
        "run": lambda: client.delete_run(removal.id),
        "version": lambda: client.delete_pipeline_version(removal.pipeline_id, removal.id),
        "artifacts": lambda: remove_documents(removal.objects),
    }
    with ignoring(NOT_FOUND):
        calls[removal.kind]()


def _runs(inventory: Inventory, rules: Rules, now: datetime) -> Iterator[Removal]:
    for run in (run for run in inventory.runs if run.state in ENDED):
        since = run.finished_at or run.created_at
        home = str(((run.runtime_config.parameters if run.runtime_config else None) or {}).get("home", ""))
        if home.rstrip("/") in rules.old_homes:
            yield Removal("run", run.run_id, run.display_name, since, f"of the old home {home}")
        elif run.storage_state == ARCHIVED and now - since > rules.age:
            yield Removal("run", run.run_id, run.display_name, since, "archived")


def _versions(inventory: Inventory, rules: Rules, now: datetime) -> Iterator[Removal]:
    used = {_version_id(user) for user in [*inventory.recurring_runs, *inventory.runs]}
    newest = {one.pipeline_id: one for one in sorted(inventory.versions, key=lambda one: one.created_at)}
    for one in inventory.versions:
        is_kept = one.name in rules.kept_versions or one.pipeline_version_id in used or one in newest.values()
        if not is_kept and now - one.created_at > rules.age:
            reason = "no run and no schedule names it"
            yield Removal("version", one.pipeline_version_id, one.name, one.created_at, reason, one.pipeline_id)


def _version_id(run: Any) -> str | None:
    """Return the id of the version that a run or recurring run names, None where it brought its own pipeline."""
    return run.pipeline_version_reference and run.pipeline_version_reference.pipeline_version_id


def _all(listed: Callable[..., Any], field: str, **arguments: Any) -> Iterator[Any]:
    for answer, _ in pages(listed, **arguments):
        yield from getattr(answer, field) or []


def _run_of(path: str) -> str | None:
    """Return the run of an artifact, whose path below the pipeline root is PIPELINE/RUN/…; None where it is none.

    A home or sources that lie below the root have such folders deeper, or without the id of a run of KFP.
    """
    pipeline, run, *rest = [*PurePosixPath(path).parts, "", ""]
    return run if pipeline in PIPELINES and any(rest) and _is_uuid(run) else None


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
