"""Erasing a user from what runs left: step records that show customers, the reports made of them, scratch folders."""

import json
from typing import Any

from components.home.data_subject import USER_ID, DataSubject, Erased
from components.home.layout import Home
from components.home.runs.records import read_json, write_json
from components.home.runs.step_records import StepRecord, read_records
from components.home.storage.documents import has_document, list_names
from components.home.storage.locations import Location
from components.home.storage.objects import remove_folder
from components.shop.settings import Shop


def erase_runs(home: Home, shop: Shop, person: DataSubject) -> Erased:
    """Drop a user from what the steps of every run say, and render the reports again that showed it.

    Scratch folders of runs that were killed go as a whole: no run is at work.
    """
    return sum((_erase_run(home.run(name), shop, person) for name in list_names(home.runs)), Erased())


def _erase_run(run: Location, shop: Shop, person: DataSubject) -> Erased:
    records = read_records(run)
    named = [(record, dropped) for record in records.values() if (dropped := _erase_record(record, person))]
    total = Erased(searched=len(records))
    if list_names(run / "scratch"):
        remove_folder(run / "scratch")
        total += Erased(files=1)
    if named:
        _render_report(run, shop, records)
        _erase_result(run / "result.json", person)
        for record, _ in named:
            record.save(run)
        total += Erased(sum(dropped for _, dropped in named), len(named) + 1)
    return total


def _erase_record(record: StepRecord, person: DataSubject) -> int:
    """Drop what names a user from a step's facts and warnings; return how many entries went."""
    return _drop(record.facts, person) + _drop(record.warnings, person)


def _erase_result(path: Location, person: DataSubject) -> None:
    if (document := read_json(path)) is not None and _drop(document, person):
        write_json(path, document)


def _drop(value: Any, person: DataSubject) -> int:
    """Drop the entries of lists, at any depth, that name a user; return how many these were."""
    if isinstance(value, dict):
        return sum(_drop(each, person) for each in value.values())
    if not isinstance(value, list):
        return 0
    kept = [each for each in value if not _names(each, person)]
    dropped = len(value) - len(kept)
    value[:] = kept
    return dropped + sum(_drop(each, person) for each in kept)


def _names(entry: Any, person: DataSubject) -> bool:
    """Say whether an entry is a customer's, a row of theirs as JSON, or a sentence that names them."""
    if isinstance(entry, dict):
        return person.is_named_by(entry.get(USER_ID))
    if not isinstance(entry, str):
        return False
    if entry.startswith("{"):
        return person.is_in(_read(entry))
    return repr(person.user_id) in entry


def _read(row: str) -> Any:
    try:
        return json.loads(row)
    except ValueError:  # a row that was cut short
        return None


def _render_report(run: Location, shop: Shop, records: dict[str, StepRecord]) -> None:
    from components.write_report.report import REPORT, write_report

    if has_document(run / REPORT):
        succeeded = (read_json(run / "run.json") or {}).get("state") == "done"
        write_report(run, shop, records, succeeded=succeeded)
