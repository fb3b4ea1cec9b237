"""The result of a comparison: frozen values, each verdict with its reason in words."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from components.drift.kinds import ColumnKind


class Verdict(StrEnum):
    """The verdict on a column, a table, the ranking's quality or the whole window."""

    DRIFTED = "drifted"
    STABLE = "stable"
    TOO_SMALL = "too_small"


@dataclass(frozen=True)
class Measure:
    """One statistic and its limit: the size that matters, and at least what noise cannot reach."""

    name: str
    value: float
    limit: float

    @property
    def exceeded(self) -> bool:
        """Return whether the statistic reaches its limit."""
        return self.value > 0 and self.value >= self.limit


@dataclass(frozen=True)
class ColumnDrift:
    """The comparison of one column; missing shares are in 0..1, medians are None for categorical columns.

    Measures: ``missing_share_change`` always, and alone where values are few or an age; ``psi``, with ``ks`` and
    ``outside_share`` of numbers, ``new_category_share`` and ``vanished_category_share`` of categories; none when the
    window is too small.
    """

    column: str
    kind: ColumnKind
    verdict: Verdict
    reason: str
    measures: tuple[Measure, ...] = ()
    reference_missing: float | None = None
    live_missing: float | None = None
    reference_median: float | None = None
    live_median: float | None = None

    def value(self, name: str) -> float | None:
        """Return a statistic by name, or None where it was not computed."""
        return next((measure.value for measure in self.measures if measure.name == name), None)

    @property
    def score(self) -> float:
        """Return how far the worst statistic is along the way to its limit (1 is drift): the order to look in."""
        if self.verdict is Verdict.DRIFTED and not self.measures:
            return float("inf")
        return max((measure.value / measure.limit for measure in self.measures if measure.limit > 0), default=0.0)


@dataclass(frozen=True)
class TableDrift:
    """The comparison of one table; units are distinct users or requests where they were counted."""

    name: str
    verdict: Verdict
    reason: str
    reference_rows: int
    live_rows: int
    reference_units: int | None
    live_units: int | None
    columns: tuple[ColumnDrift, ...]

    @property
    def drifted_columns(self) -> tuple[ColumnDrift, ...]:
        """Return the columns that drifted, worst first."""
        return tuple(column for column in self.worst_first() if column.verdict is Verdict.DRIFTED)

    def worst_first(self) -> tuple[ColumnDrift, ...]:
        """Return the columns by falling score, then by name."""
        return tuple(sorted(self.columns, key=lambda column: (-column.score, column.column)))


@dataclass(frozen=True)
class QualityDrift:
    """Live ranking quality against the quality that the bundle was promoted with.

    ``difference_low`` and ``difference_high`` bound live minus reference, each with the stated error probability.
    """

    verdict: Verdict
    reason: str
    users: int
    reference_mean: float
    live_mean: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None


@dataclass(frozen=True)
class DriftReport:
    """The comparison of a live window with the reference."""

    tables: tuple[TableDrift, ...]
    quality: QualityDrift | None = None

    @property
    def verdict(self) -> Verdict:
        """Drifted if any part is; too small only if no part could be judged."""
        verdicts = self._verdicts()
        if Verdict.DRIFTED in verdicts:
            return Verdict.DRIFTED
        return Verdict.STABLE if Verdict.STABLE in verdicts else Verdict.TOO_SMALL

    @property
    def drifted(self) -> bool:
        """Return whether to alarm."""
        return self.verdict is Verdict.DRIFTED

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return every drift in words, worst first within its table; then the parts that could not be judged."""
        drifts = [
            f"{table.name}.{column.column}: {column.reason}"
            for table in self.tables
            for column in table.drifted_columns
        ]
        if self.quality is not None and self.quality.verdict is Verdict.DRIFTED:
            drifts.append(f"quality: {self.quality.reason}")
        unjudged = [f"{table.name}: {table.reason}" for table in self.tables if table.verdict is Verdict.TOO_SMALL]
        if self.quality is not None and self.quality.verdict is Verdict.TOO_SMALL:
            unjudged.append(f"quality: {self.quality.reason}")
        return tuple(drifts + unjudged)

    def table(self, name: str) -> TableDrift | None:
        """Return the comparison of a table by name, or None where there is none."""
        return next((table for table in self.tables if table.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole report as plain values for JSON."""
        return {"verdict": self.verdict, "reasons": list(self.reasons), **asdict(self)}

    def _verdicts(self) -> set[Verdict]:
        verdicts = {table.verdict for table in self.tables}
        return verdicts | {self.quality.verdict} if self.quality is not None else verdicts
