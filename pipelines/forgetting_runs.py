"""Erasing a user from what runs left: step records that show customers, the reports made of them, scratch folders."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from components.contracts.durable import write_durably
from components.contracts.erasure import USER_ID, Erased, Person
from components.contracts.home import Home
from components.contracts.presence import names_in
from components.contracts.shop import Shop
from components.contracts.steps import StepRecord, read_records
from pipelines.run_record import read_json

EXAMPLES = "examples"  # the fact of a step that recommended to a few customers


def erase_runs(home: Home, shop: Shop, person: Person) -> Erased:
    """Drop a user from the example customers of every run, and render the reports again that showed them.

    Scratch folders of runs that were killed go as a whole: no run is at work.
    """
    return sum((_erase_run(home.run(name), shop, person) for name in names_in(home.runs)), Erased())


def _erase_run(run: Path, shop: Shop, person: Person) -> Erased:
    records = read_records(run)
    shown = [record for record in records.values() if _shows(record, person)]
    left = run / "scratch"
    total = Erased(files=1 if left.exists() else 0, searched=len(records))
    shutil.rmtree(left, ignore_errors=True)
    if shown:
        for record in shown:
            record.facts[EXAMPLES] = [each for each in record.facts[EXAMPLES] if not _is_of(each, person)]
        _render_report(run, shop, records)
        for record in shown:
            write_durably(run / "steps" / f"{record.name}.json", json.dumps(asdict(record), indent=1).encode())
        total += Erased(len(shown), len(shown) + 1)
    return total


def _shows(record: StepRecord, person: Person) -> bool:
    found = record.facts.get(EXAMPLES)
    return isinstance(found, list) and any(_is_of(each, person) for each in found)


def _is_of(example: Any, person: Person) -> bool:
    return isinstance(example, dict) and example.get(USER_ID) == person.user_id


def _render_report(run: Path, shop: Shop, records: dict[str, StepRecord]) -> None:
    from components.write_report.report import REPORT, write_report

    if (run / REPORT).exists():
        succeeded = bool(read_json(run / "run.json").get("state") == "done")
        write_report(run, shop, records, succeeded=succeeded)
