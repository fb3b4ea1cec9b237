"""What a home remembers of each run: ``runs/<run_id>/run.json`` and ``result.json``."""

import json
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from components.contracts.errors import ConfigurationError
from components.home.disk.durable import write_durably
from components.home.layout import Home
from components.home.runs.lock import lock_holder
from components.shop.settings import load_shop

read_shop = cache(load_shop)  # once a process: a shop file that changes meanwhile changes nothing of a run

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


def new_run_id(home: Home | None = None) -> str:
    """Return an id that no other run has, and that sorts after all runs of a home, whatever the clock was then."""
    moment = max([datetime.now(UTC), *(_moments_after(home) if home else ())])
    return f"{moment:{SECONDS}}{moment.microsecond // 1000:03d}-{secrets.token_hex(2)}"


def _moments_after(home: Home) -> Iterator[datetime]:
    """Yield the moment after each run of a home, by its id; ids of other forms have none."""
    for path in home.runs.glob("*/run.json"):
        with suppress(ValueError, OverflowError):
            moment = datetime.strptime(f"{path.parent.name.partition('-')[0]}+0000", f"{SECONDS}%f%z")
            yield moment + timedelta(milliseconds=1)


def save_run(home: Home, run: RunRecord) -> None:
    """Write ``run.json`` so that a reader never sees half of it."""
    write_json(home.run(run.run_id) / "run.json", asdict(run))


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON document in one move, which outlives a power cut."""
    write_durably(path, json.dumps(document, indent=1).encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON document.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise ConfigurationError(f"{path}: found what is not JSON ({error}); restore the file, or remove it") from error
    return found


def read_run(home: Home, run_id: str) -> RunRecord:
    """Read the record of a run.

    Raises:
        ConfigurationError: there is none.
    """
    path = home.run(run_id) / "run.json"
    if not path.exists():
        raise ConfigurationError(f"run {run_id}: found no {path}, expected that its first step has begun the run")
    return RunRecord(**read_json(path))


def list_runs(home: Home) -> list[RunRecord]:
    """Return the runs of a home, the newest first."""
    holder = lock_holder(home)
    working = holder.run_id if holder else None
    runs = [_as_it_ended(read_run(home, path.parent.name), working) for path in home.runs.glob("*/run.json")]
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
    path = home.run(run_id) / "result.json"
    return read_json(path) if path.exists() else None


def _as_it_ended(run: RunRecord, working: str | None) -> RunRecord:
    if run.state == "running" and run.run_id != working:
        return replace(run, state="killed", error=run.error or "its process ended without a word")
    return run
