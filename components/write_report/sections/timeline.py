"""The section on the run itself: when each step ran, how long, on how many rows, with how much memory."""

from collections.abc import Iterable
from dataclasses import dataclass

from components.write_report import formats
from components.write_report.run_outline import StepEnd, StepOutcome

MIN_WIDTH = 0.6


@dataclass(frozen=True)
class StepLine:
    """One step; ``at`` and ``size`` place its bar in percent of the run."""

    name: str
    words: str
    end: StepEnd
    seconds: str
    rows_in: str
    rows_out: str
    peak: str
    at: float
    size: float


@dataclass(frozen=True)
class Timeline:
    """All steps, and the run's total time and memory."""

    steps: tuple[StepLine, ...]
    seconds: str
    peak: str


def timeline(outcomes: Iterable[StepOutcome]) -> Timeline | None:
    """Place the steps on one time axis; None when no step started."""
    outcomes = tuple(outcomes)
    records = [outcome.record for outcome in outcomes if outcome.record]
    if not records:
        return None
    start = min(record.started for record in records)
    length = max(record.started + record.seconds for record in records) - start
    return Timeline(
        steps=tuple(_line(outcome, start, length or 1.0) for outcome in outcomes),
        seconds=formats.duration(length),
        peak=formats.memory(max(record.peak_mb for record in records)),
    )


def _line(outcome: StepOutcome, start: float, length: float) -> StepLine:
    record = outcome.record
    if record is None:
        absent = formats.ABSENT
        return StepLine(outcome.name, outcome.words, outcome.end, absent, absent, absent, absent, 0.0, 0.0)
    size = max(MIN_WIDTH, 100 * record.seconds / length)
    return StepLine(
        name=outcome.name,
        words=outcome.words,
        end=outcome.end,
        seconds=formats.duration(record.seconds),
        rows_in=formats.count(record.rows_in),
        rows_out=formats.count(record.rows_out),
        peak=formats.memory(record.peak_mb),
        at=round(min(100 * (record.started - start) / length, 100 - size), 2),
        size=round(size, 2),
    )
