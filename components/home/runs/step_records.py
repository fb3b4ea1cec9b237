"""What each step leaves about itself: a record that the live table, `rankloop runs` and the report read."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from components.contracts.handles import Handle
from components.home.disk.durable import move_durably


@dataclass
class StepRecord:
    """One step of one run, as it goes: ``state`` is running, done or failed."""

    name: str
    state: str = "running"
    started: float = 0.0  # seconds since the epoch, for the live table only
    seconds: float = 0.0
    rows_in: int | None = None
    rows_out: int | None = None
    progress: str = ""  # what it is doing, in a few words
    error: str | None = None
    peak_mb: float = 0.0  # resident memory of the step's process
    facts: dict[str, Any] = field(default_factory=dict)  # what the report shows of this step
    handles: dict[str, Handle] = field(default_factory=dict)  # what it left, by kind
    warnings: list[str] = field(default_factory=list)  # shown after the run, on top of its report and in its document

    def save(self, run: Path) -> None:
        """Write the record into a run's folder; no reader sees half of it, nor, once the step has ended, a restart."""
        path = run / "steps" / f"{self.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        draft.write_text(json.dumps(asdict(self), indent=1))
        if self.state == "running":
            draft.replace(path)
        else:
            move_durably(draft, path)


def read_records(run: Path) -> dict[str, StepRecord]:
    """Read the records of a run's folder, by step name, in the order in which the steps started."""
    records = [_read_record(path) for path in (run / "steps").glob("*.json")]
    return {record.name: record for record in sorted(records, key=lambda record: record.started)}


def stood_at(records: Mapping[str, StepRecord]) -> str | None:
    """Return the moment that a run's handles stand at, ISO 8601; None when no step came to one."""
    moments = (handle.as_of for record in records.values() for handle in record.handles.values() if handle.as_of)
    return next(moments, None)


def all_warnings(records: Mapping[str, StepRecord]) -> list[str]:
    """Return the warnings of all steps, each once, in the order in which the steps started."""
    return list(dict.fromkeys(warning for record in records.values() for warning in record.warnings))


def _read_record(path: Path) -> StepRecord:
    found: dict[str, Any] = json.loads(path.read_text())
    handles = {kind: Handle(**handle) for kind, handle in found.pop("handles", {}).items()}
    return StepRecord(handles=handles, **found)
