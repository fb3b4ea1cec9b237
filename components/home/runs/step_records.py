"""What each step leaves about itself: a record that the live table, `rankloop runs` and the report read."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from components.contracts.handles import Handle
from components.home.storage.documents import list_names, read_document, read_documents, write_document
from components.home.storage.locations import Location

STEPS = "steps"


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
    limit_mb: float | None = None  # of memory, for the step's container; None: it has none

    def save(self, run: Location) -> None:
        """Write the record into a run's folder; no reader sees half of it, nor, once the step has ended, a restart."""
        content = json.dumps(asdict(self), indent=1).encode()
        write_document(run / STEPS / f"{self.name}.json", content, durable=self.state != "running")


def save_peak(run: Location, step: str, peak_mb: float) -> None:
    """Write how much memory a step that is at work has used.

    It is a document of its own, so that a write that a busy store delays cannot replace the record of a step that has
    ended meanwhile.
    """
    write_document(run / STEPS / f"{step}.peak", f"{peak_mb}".encode(), durable=False)


def read_peak(run: Location, step: str) -> float:
    """Return what a step had used when that was last written; 0 if it never was."""
    return float(read_document(run / STEPS / f"{step}.peak") or 0)


def read_records(run: Location) -> dict[str, StepRecord]:
    """Read the records of a run's folder, by step name, in the order in which the steps started."""
    places = [run / STEPS / name for name in list_names(run / STEPS) if name.endswith(".json")]
    records = [_record(content) for content in read_documents(places) if content is not None]
    return {record.name: record for record in sorted(records, key=lambda record: record.started)}


def stood_at(records: Mapping[str, StepRecord]) -> str | None:
    """Return the moment that a run's handles stand at, ISO 8601; None when no step came to one."""
    moments = (handle.as_of for record in records.values() for handle in record.handles.values() if handle.as_of)
    return next(moments, None)


def all_warnings(records: Mapping[str, StepRecord]) -> list[str]:
    """Return the warnings of all steps, each once, in the order in which the steps started."""
    return list(dict.fromkeys(warning for record in records.values() for warning in record.warnings))


def _record(content: bytes) -> StepRecord:
    document: dict[str, Any] = json.loads(content)
    handles = {kind: Handle(**handle) for kind, handle in document.pop("handles", {}).items()}
    return StepRecord(handles=handles, **document)
