"""The outline of a run for the report: its steps in order, what each does in words, and how each ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from components.contracts.steps.declared import PIPELINES, REPORTING, STEPS, WORDS, steps_of
from components.home.runs.step_records import StepRecord

StepEnd = Literal["done", "failed", "not reached", "not run"]

Records = Mapping[str, StepRecord]


@dataclass(frozen=True)
class StepOutcome:
    """How one step ended; ``record`` is None when it did not start."""

    name: str
    words: str
    end: StepEnd
    record: StepRecord | None

    @property
    def error(self) -> str | None:
        """Return what the step said when it failed."""
        return self.record.error if self.record else None


def step_outcomes(records: Records, succeeded: bool, pipeline: str | None = None) -> tuple[StepOutcome, ...]:
    """Return every step of the pipeline in its order, of all pipelines where none is named, without the report's own.

    Steps that have no record were not reached when the run failed, and were no part of it otherwise.
    """
    planned = steps_of(pipeline) if pipeline in PIPELINES else tuple(step.name for step in STEPS)
    names = [name for name in dict.fromkeys((*planned, *records)) if name != REPORTING]
    complete = succeeded and all(record.state == "done" for record in records.values() if record.name != REPORTING)
    return tuple(_outcome(name, records.get(name), complete) for name in names)


def failed_step(outcomes: tuple[StepOutcome, ...]) -> StepOutcome | None:
    """Return the step in which the run ended early, if it did."""
    return next((outcome for outcome in outcomes if outcome.end == "failed"), None)


def _outcome(name: str, record: StepRecord | None, complete: bool) -> StepOutcome:
    words = WORDS.get(name, name.replace("_", " ").capitalize())
    if record is None:
        skipped: StepEnd = "not run" if complete else "not reached"
        return StepOutcome(name, words, skipped, None)
    return StepOutcome(name, words, "done" if record.state == "done" else "failed", record)
