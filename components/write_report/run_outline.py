"""A run as the report tells it: its steps in order, what each does in words, and how each ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from components.home.step_records import StepRecord

StepEnd = Literal["done", "failed", "interrupted", "not reached", "not run"]

Records = Mapping[str, StepRecord]

STEP_WORDS = {
    "ingest_events": "Read what the shop has recorded",
    "validate_events": "Check it against the data contract",
    "build_features": "Compute features, day by day",
    "materialize_features": "Put the newest features where the service reads them",
    "build_training_set": "Turn the past into ranking examples",
    "train_ranker": "Learn to put candidates in order",
    "evaluate_ranker": "Judge it on weeks it has not seen",
    "publish_bundle": "Seal the model",
    "propose_promotion": "Promote it, or leave everything as it is",
    "detect_drift": "Compare the newest data with what the live ranker learned from",
}
REPORTING = "write_report"
MONITORING = frozenset({"ingest_events", "validate_events", "build_features", "detect_drift"})


@dataclass(frozen=True)
class StepOutcome:
    """How one step ended; ``record`` is None when it did not start."""

    name: str
    words: str
    end: StepEnd
    record: StepRecord | None

    @property
    def error(self) -> str | None:
        """What the step said when it failed."""
        return self.record.error if self.record else None


def step_outcomes(records: Records, succeeded: bool, pipeline: str | None = None) -> tuple[StepOutcome, ...]:
    """Return every step of the pipeline (training or monitoring) in its order; the report's own step is left out.

    Steps that have no record were not reached when the run failed, and were no part of it otherwise.
    """
    planned = [name for name in STEP_WORDS if pipeline != "monitoring" or name in MONITORING or name in records]
    names = [*planned, *(name for name in records if name not in STEP_WORDS and name != REPORTING)]
    complete = succeeded and all(record.state == "done" for record in records.values() if record.name != REPORTING)
    return tuple(_outcome(name, records.get(name), complete) for name in names)


def failed_step(outcomes: tuple[StepOutcome, ...]) -> StepOutcome | None:
    """Return the step in which the run ended early, if it did."""
    failed = [outcome for outcome in outcomes if outcome.end == "failed"]
    return next(iter(failed + [outcome for outcome in outcomes if outcome.end == "interrupted"]), None)


def _outcome(name: str, record: StepRecord | None, complete: bool) -> StepOutcome:
    words = STEP_WORDS.get(name, name.replace("_", " ").capitalize())
    if record is None:
        skipped: StepEnd = "not run" if complete else "not reached"
        return StepOutcome(name, words, skipped, None)
    if record.state == "failed":
        return StepOutcome(name, words, "failed", record)
    return StepOutcome(name, words, "done" if record.state == "done" else "interrupted", record)
