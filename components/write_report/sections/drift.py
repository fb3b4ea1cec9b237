"""The section on drift: the newest data beside what the live ranker learned from."""

import base64
import gzip
from dataclasses import dataclass

from components.drift.kinds import ColumnKind
from components.drift.report import ColumnDrift, DriftReport, Measure, TableDrift, Verdict
from components.write_report import formats

CALM_COLUMNS_SHOWN = 12
_VERDICTS = {Verdict.DRIFTED: "Drifted", Verdict.STABLE: "Stable", Verdict.TOO_SMALL: "Too small to judge"}
_TONES = {Verdict.DRIFTED: "bad", Verdict.STABLE: "good", Verdict.TOO_SMALL: "held"}


@dataclass(frozen=True)
class Statistic:
    """A statistic beside its limit; ``width`` is the way to the limit in percent, at most 100."""

    value: str
    limit: str
    exceeded: bool
    width: float


@dataclass(frozen=True)
class ColumnLine:
    """One watched column: KS and medians of numbers, new and vanished categories of words."""

    name: str
    verdict: str
    tone: str
    psi: Statistic | None
    ks: Statistic | None
    new: Statistic | None
    vanished: Statistic | None
    missing: tuple[str, str]
    medians: tuple[str, str]


@dataclass(frozen=True)
class TableLines:
    """One compared table: columns worst first; those beyond ``CALM_COLUMNS_SHOWN`` that are calm fold away.

    ``categories`` says whether it holds categories alone; then there are no numbers to show.
    """

    name: str
    reason: str
    categories: bool
    reference_rows: int | None
    live_rows: int | None
    shown: tuple[ColumnLine, ...]
    folded: tuple[ColumnLine, ...]


@dataclass(frozen=True)
class DriftSection:
    """The comparison in words and tables; ``evidently`` is Evidently's page, gzip and base64, or None."""

    verdict: str
    tone: str
    reasons: tuple[str, ...]
    quality: str | None
    tables: tuple[TableLines, ...]
    evidently: str | None


def drift_section(report: DriftReport | None, evidently: bytes | None) -> DriftSection | None:
    """Gather a drift report; None when nothing was compared."""
    if report is None:
        return None
    return DriftSection(
        verdict=_VERDICTS[report.verdict],
        tone=_TONES[report.verdict],
        reasons=report.reasons,
        quality=report.quality.reason if report.quality else None,
        tables=tuple(_table(each) for each in report.tables),
        evidently=_packed(evidently) if evidently else None,
    )


def _table(table: TableDrift) -> TableLines:
    ordered = sorted(table.columns, key=lambda column: (-_nearness(column), column.column))
    lines = [_line(column) for column in ordered]
    shown = max(CALM_COLUMNS_SHOWN, sum(line.tone == "bad" for line in lines))
    return TableLines(
        name=formats.title(table.name),
        reason=table.reason,
        categories=bool(ordered) and all(column.kind is ColumnKind.CATEGORICAL for column in ordered),
        reference_rows=table.reference_rows,
        live_rows=table.live_rows,
        shown=tuple(lines[:shown]),
        folded=tuple(lines[shown:]),
    )


def _nearness(column: ColumnDrift) -> float:
    """Return the largest ratio of a statistic to its limit; drifted columns come first."""
    return column.score + (1e9 if column.verdict is Verdict.DRIFTED else 0.0)


def _line(column: ColumnDrift) -> ColumnLine:
    measures = {measure.name: measure for measure in column.measures}
    return ColumnLine(
        name=column.column,
        verdict=_VERDICTS[column.verdict],
        tone=_TONES[column.verdict],
        psi=_statistic(measures.get("psi")),
        ks=_statistic(measures.get("ks")),
        new=_statistic(measures.get("new_category_share")),
        vanished=_statistic(measures.get("vanished_category_share")),
        missing=(formats.share(column.reference_missing), formats.share(column.live_missing)),
        medians=(formats.number(column.reference_median), formats.number(column.live_median)),
    )


def _statistic(measure: Measure | None) -> Statistic | None:
    if measure is None:
        return None
    width = 100.0 if measure.limit <= 0 else min(100.0, 100 * measure.value / measure.limit)
    return Statistic(f"{measure.value:.2f}", f"{measure.limit:.2f}", measure.exceeded, round(width, 1))


def _packed(page: bytes) -> str:
    """Pack Evidently's page (about 4.6 MB, nearly all of it scripts) into a quarter of its size."""
    return base64.b64encode(gzip.compress(page, compresslevel=6, mtime=0)).decode()
