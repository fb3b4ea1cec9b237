"""What a home remembers of each run: ``runs/<run_id>/run.json`` and ``result.json``."""

import json
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from components.contracts.errors import ConfigurationError
from components.contracts.handles import Handle
from components.home.layout import Home
from components.home.runs.lock import lock_holder
from components.home.runs.step_records import read_records
from components.home.storage.documents import has_document, list_names, read_document, read_documents, write_document
from components.home.storage.locations import Location
from components.shop.settings import load_shop

read_shop = cache(load_shop)  # once a process: a shop file that changes meanwhile changes nothing of a run

RECORD = "run.json"
SECONDS = "%Y%m%dT%H%M%S"  # of a run's id, before its milliseconds


@dataclass(frozen=True)
class RunRecord:
    """One run: what it was asked, and how it went (running, done, failed, interrupted or killed)."""

    run_id: str
    pipeline: str
    shop: str  # the shop's name
    shop_file: str
    as_of: str | None  # as asked; None: the end of the last complete day
    state: str = "running"
    started: str = ""
    seconds: float = 0.0
    error: str | None = None
    fingerprint: dict[str, str] = field(default_factory=dict)  # of code, shop, sources and as-of
    environment: str = "local"
    window_days: int | None = None  # of drift, as asked; None: as the shop file says
    kubeflow_run: str | None = None  # its id in Kubeflow Pipelines; None: it ran on a machine
    link: str | None = None  # where people see it there


def new_run_id(home: Home | None = None) -> str:
    """Return an id that no other run has, and that sorts after all runs of a home, whatever the clock was then."""
    moment = max([datetime.now(UTC), *(_moments_after(home) if home else ())])
    return f"{moment:{SECONDS}}{moment.microsecond // 1000:03d}-{secrets.token_hex(2)}"


def _moments_after(home: Home) -> Iterator[datetime]:
    """Yield the moment after each run of a home, by its id; ids of other forms have none."""
    for run_id in run_ids(home):
        with suppress(ValueError, OverflowError):
            moment = datetime.strptime(f"{run_id.partition('-')[0]}+0000", f"{SECONDS}%f%z")
            yield moment + timedelta(milliseconds=1)


def run_ids(home: Home) -> list[str]:
    """Return the ids of all runs of a home, the oldest first; those that did not begin yet may be among them."""
    return [name for name in list_names(home.runs) if not name.startswith(".")]


def save_run(home: Home, run: RunRecord) -> None:
    """Write ``run.json`` so that a reader never sees half of it."""
    write_json(home.run(run.run_id) / RECORD, asdict(run))


def write_json(location: Location, document: dict[str, Any]) -> None:
    """Write a JSON document at once; in a folder it outlives a power cut."""
    write_document(location, json.dumps(document, indent=1).encode())


def read_json(location: Location) -> dict[str, Any] | None:
    """Read a JSON document; None where there is none.

    Raises:
        ConfigurationError: what is there is not JSON.
    """
    content = read_document(location)
    return None if content is None else _json(location, content)


def _json(location: Location, content: bytes) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(content)
    except ValueError as error:
        raise ConfigurationError(
            f"{location}: found what is not JSON ({error}); restore the file, or remove it"
        ) from error
    return document


def has_run(home: Home, run_id: str) -> bool:
    """Say whether a run has begun."""
    return has_document(home.run(run_id) / RECORD)


def read_run(home: Home, run_id: str) -> RunRecord:
    """Read the record of a run.

    Raises:
        ConfigurationError: there is none.
    """
    location = home.run(run_id) / RECORD
    document = read_json(location)
    if document is None:
        raise ConfigurationError(f"run {run_id}: found no {location}, expected that its first step has begun the run")
    return RunRecord(**document)


def log_place(folder: Location, kubeflow_run: str | None, link: str | None) -> str:
    """Return where people read what the steps of a run have printed: in Kubeflow, or in a file of the run's folder."""
    if kubeflow_run:
        return link or f"run {kubeflow_run} of Kubeflow"
    return str(folder / "log.txt")


def list_runs(home: Home) -> list[RunRecord]:
    """Return the runs of a home, the newest first."""
    holder = lock_holder(home)
    working = holder.run_id if holder else None
    places = [home.run(run_id) / RECORD for run_id in run_ids(home)]
    contents = zip(places, read_documents(places), strict=True)
    runs = [_as_it_ended(RunRecord(**_json(place, content)), working) for place, content in contents if content]
    return sorted(runs, key=lambda run: run.run_id, reverse=True)


def find_run(home: Home, name: str) -> RunRecord:
    """Find a run by its id, the end or start of its id, or ``last``.

    Raises:
        ConfigurationError: no run or several runs go by that name.
    """
    runs = list_runs(home)
    if name == "last" and runs:
        return runs[0]
    matches = [run for run in runs if run.run_id == name] or [
        run for run in runs if run.run_id.startswith(name) or run.run_id.endswith(name)
    ]
    if len(matches) != 1:
        known = ", ".join(run.run_id for run in runs[:5]) or "none yet"
        raise ConfigurationError(
            f"run {name!r}: {len(matches)} runs of {home.root} go by that name, expected one; the newest: {known}"
        )
    return matches[0]


def read_result(home: Home, run_id: str) -> dict[str, Any] | None:
    """Return the closing document of a run, if it came to one."""
    return read_json(home.run(run_id) / "result.json")


def _as_it_ended(run: RunRecord, working: str | None) -> RunRecord:
    if run.state == "running" and run.run_id != working:
        return replace(run, state="killed", error=run.error or "its process ended without a word")
    return run


def trained_features(home: Home) -> Handle | None:
    """Return the features of the newest training run that ended well, which batch recommendations read, if any."""
    for run_id in reversed(run_ids(home)):  # they sort by time
        if not has_run(home, run_id):
            continue
        run = read_run(home, run_id)
        if (run.pipeline, run.state) == ("training", "done"):
            built = read_records(home.run(run_id)).get("build_features")
            if built and "features" in built.handles:
                return built.handles["features"]
    return None
