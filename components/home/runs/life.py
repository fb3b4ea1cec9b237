"""How a run begins and ends, wherever it runs: its home, its record, and what it came to.

::

    begin_run   lock taken · shop.json · runs that were killed are closed · run.json "running"
    end_run     steps that were killed are closed · result.json · run.json "done" or "failed"
"""

import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import gettempdir

from components.contracts.errors import ConfigurationError, no_space
from components.home.disk.file_system import require_hard_links
from components.home.layout import Home
from components.home.runs.document import run_document
from components.home.runs.lock import run_lock
from components.home.runs.records import (
    RunRecord,
    has_run,
    list_runs,
    log_place,
    read_run,
    read_shop,
    save_run,
    write_json,
)
from components.home.runs.step_records import StepRecord, read_peak, read_records
from components.home.shop_note import ShopNote, read_shop_note, write_shop_note
from components.home.storage.documents import has_document
from components.home.storage.locations import Location

LITTLE_BYTES = 2 << 20  # free space below which a step that ended without a word is taken to have run out of it


def require_home_of(home: Home, shop: str) -> None:
    """Make sure that a run of a shop may begin in a home; one home is one shop.

    Raises:
        ConfigurationError: the home belongs to another shop, or lies where files cannot be linked.
    """
    if has_document(home.shop_note) and (owner := read_shop_note(home).shop) != shop:
        raise ConfigurationError(
            f"home {home.root}: belongs to the shop {owner!r}, found a run of {shop!r}; name another --home"
        )
    if isinstance(home.root, Path):
        require_hard_links(home.root)


def begin_run(home: Home, run: RunRecord) -> None:
    """Take the home for a run and write that it has begun; beginning the same run again changes nothing else.

    Raises:
        ConfigurationError: the home belongs to another shop or cannot be written.
        HomeBusyError: another run has the home.
    """
    require_home_of(home, run.shop)
    lock = run_lock(home)
    lock.acquire(run.run_id)
    with lock.hold(run.run_id):
        write_shop_note(home, ShopNote(run.shop, run.shop_file))
        for killed in list_runs(home):
            if killed.state == "killed" and killed.run_id != run.run_id:
                save_run(home, killed)
        save_run(home, run)


def end_run(home: Home, run_id: str, succeeded: bool) -> None:
    """Write how a run ended, by what its steps say; nothing changes where it never began, or has ended already.

    ``succeeded`` is what the orchestrator says: a step may have died before it could say anything.
    """
    if not has_run(home, run_id) or read_run(home, run_id).state != "running":
        return
    run, folder = read_run(home, run_id), home.run(run_id)
    records = close_killed_steps(home, run)
    error = failure_of(records, folder, log_place(folder, run.kubeflow_run, run.link), succeeded)
    try:
        write_result(home, run, records, error)
    finally:
        close_run(home, run_id, "failed" if error else "done", error)


def write_result(home: Home, run: RunRecord, records: dict[str, StepRecord], error: str | None) -> None:
    """Write the closing document of a run; say so where its shop file, which it is made by, cannot be read."""
    result = home.run(run.run_id) / "result.json"
    try:
        document = run_document(home, run, read_shop(Path(run.shop_file)), records)
    except ConfigurationError as reason:
        print(f"{result}: is not written: {reason}", file=sys.stderr)
        return
    write_json(result, document | ({"error": error} if error else {}))


def close_run(home: Home, run_id: str, state: str, error: str | None) -> None:
    """Write a state and an error into the record of a run that is not over."""
    if has_run(home, run_id) and (run := read_run(home, run_id)).state == "running":
        save_run(home, replace(run, state=state, error=error, seconds=_seconds(home.run(run_id))))


def failure_of(records: dict[str, StepRecord], folder: Location, log: str, succeeded: bool) -> str | None:
    """Return why a run failed, with its step's name and, where that helps, its log; None when it did not."""
    for record in records.values():
        if record.state == "failed":
            unexpected = (record.error or "").startswith("unexpected ")
            return f"{record.name}: {record.error}{f'; its log: {log}' if unexpected else ''}"
    if succeeded:
        return None
    return no_space(str(folder)) if _is_full(folder) else f"the pipeline ended before a step could say why; log: {log}"


def close_killed_steps(home: Home, run: RunRecord, besides: str = "") -> dict[str, StepRecord]:
    """Write why a step failed that still says "running", for it was killed; return the records of the run.

    Args:
        besides: the step that is at work.
    """
    folder = home.run(run.run_id)
    records = read_records(folder)
    for record in records.values():
        if record.state == "running" and record.name != besides:
            record.peak_mb = max(record.peak_mb, read_peak(folder, record.name))
            record.state, record.error = "failed", _silent_end(record, folder, run)
            record.save(folder)
    return records


def _silent_end(record: StepRecord, folder: Location, run: RunRecord) -> str:
    if _is_full(folder):
        return no_space(str(folder))
    advice = "if that is close, give the step more memory"
    limit = "" if record.limit_mb is None else f", its limit {record.limit_mb:.0f} MB; {advice}"
    return (
        f"its process ended without a word, as when memory ran out; its last measured peak was {record.peak_mb:.0f} MB"
        f"{limit}; log: {log_place(folder, run.kubeflow_run, run.link)}"
    )


def _is_full(folder: Location) -> bool:
    place = folder if isinstance(folder, Path) else gettempdir()  # a bucket says so itself
    return shutil.disk_usage(place).free < LITTLE_BYTES


def _seconds(folder: Location) -> float:
    """Return how long a run took, from the beginning of its first step until now."""
    started = min((record.started for record in read_records(folder).values()), default=time.time())
    return round(time.time() - started, 3)
