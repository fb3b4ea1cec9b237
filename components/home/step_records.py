"""What each step leaves about itself: a record that the live table, `rankloop runs` and the report read."""

import atexit
import gc
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from components.contracts.errors import RankloopError, is_out_of_space, no_space
from components.contracts.handles import Handle, write_handle
from components.contracts.urls import without_users
from components.home.durable import move_durably
from components.home.layout import Home
from components.shop.settings import Shop, load_shop

# Words that stand for None in a pipeline's parameters: KFP's local runner fails on optional ones that are not given.
LATEST = "latest"  # as-of: the end of the last complete day
CONFIGURED = "configured"  # window: as the shop file says


def asked_moment(as_of: str) -> str | None:
    """Read a pipeline's as-of parameter: ISO 8601 with a zone, or ``latest`` for None."""
    return None if as_of == LATEST else as_of


def asked_days(window: str) -> int | None:
    """Read a pipeline's window parameter: a number of days, or ``configured`` for None."""
    return None if window == CONFIGURED else int(window)


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


class Step:
    """A step at work: its shop, its home, and the record it keeps."""

    def __init__(self, name: str, shop: str, home: str, run_id: str) -> None:
        self.shop: Shop = load_shop(Path(shop))
        self.home = Home(Path(home))
        self.run_id = run_id
        self.record = StepRecord(name=name, started=time.time())
        self._path = self.home.run(run_id) / "steps" / f"{name}.json"

    def say(self, progress: str) -> None:
        """Show what the step is doing, in a few words."""
        self.record.progress = progress
        self.save()

    def report(self, rows_in: int | None = None, rows_out: int | None = None, **facts: Any) -> None:
        """Keep what came of the step: row counts and JSON-able facts for the report."""
        self.record.rows_in, self.record.rows_out = rows_in, rows_out
        self.record.facts.update(facts)

    def warn(self, *warnings: str) -> None:
        """Warn of what did not stop the step: each one line with a value, the key of the shop file and the fix."""
        self.record.warnings.extend(warnings)

    def leave(self, path: str | Path, handle: Handle) -> None:
        """Write a handle to the path of a KFP artifact, and note it in the record."""
        write_handle(path, handle)
        self.record.handles[handle.kind] = handle

    def save(self) -> None:
        """Write the record so that a reader never sees half of it; once the step has ended, nor does a restart."""
        self.record.seconds = round(time.time() - self.record.started, 3)
        self.record.peak_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(f".{os.getpid()}.tmp")
        draft.write_text(json.dumps(asdict(self.record), indent=1))
        if self.record.state == "running":
            draft.replace(self._path)
        else:
            move_durably(draft, self._path)


@contextmanager
def recorded_step(name: str, shop: str, home: str, run_id: str) -> Iterator[Step]:
    """Run a step's body, keep its record, and turn a deliberate error into one line and exit code 1.

    The step's process will end without looking for garbage once more, which takes up to a second.

    Raises:
        SystemExit: the body raised a RankloopError; the record holds its message.
    """
    atexit.register(gc.freeze)
    step = Step(name, shop, home, run_id)
    step.save()
    try:
        yield step
    except RankloopError as error:
        _fail(step, str(error))
        print(f"{name}: {step.record.error}", file=sys.stderr)
        raise SystemExit(1) from error
    except Exception as error:
        traceback.print_exc()
        _fail(step, _unexpected(error, home))
        raise
    step.record.state = "done"
    step.save()


def _fail(step: Step, message: str) -> None:
    step.record.state, step.record.error = "failed", without_users(message)
    step.save()


def _unexpected(error: Exception, home: str) -> str:
    if is_out_of_space(error):
        return no_space(f"{home} or of the temporary folder")
    if isinstance(error, MemoryError):
        return "no memory is left; close other programs or lower features.max_history or training.max_requests"
    return f"unexpected {type(error).__name__}: {error}".splitlines()[0]


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
