"""A drift report as metrics of the catalogue."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias

from components.contracts import metrics
from components.contracts.metrics import Metric
from components.drift.report import ColumnDrift, DriftReport, QualityDrift, TableDrift, Verdict

Sample: TypeAlias = tuple[Metric, tuple[str, ...], float]  # the values of the metric's labels, and its own
QUALITY = "quality"


def drift_metrics(report: DriftReport) -> dict[str, list[dict[str, Any]]]:
    """Return the samples of each metric by its name, for JSON: a sample is its labels and ``value``.

    A statistic that was not computed, and a verdict on what is too small to judge, have no sample.
    """
    samples: dict[str, list[dict[str, Any]]] = {}
    for metric, labels, value in _samples(report):
        sample = {**dict(zip(metric.labels, labels, strict=True)), "value": value}
        samples.setdefault(metric.name, []).append(sample)
    return samples


def _samples(report: DriftReport) -> Iterator[Sample]:
    yield from _verdict(metrics.DRIFT_WINDOW_VERDICT, (), report.verdict)
    for table in report.tables:
        yield from _table(table)
    if report.quality is not None:
        yield from _quality(report.quality)


def _table(table: TableDrift) -> Iterator[Sample]:
    yield from _verdict(metrics.DRIFT_TABLE_VERDICT, (table.name,), table.verdict)
    yield metrics.DRIFT_ROWS, (table.name,), float(table.live_rows)
    counts = Counter(column.verdict for column in table.columns)
    for verdict in Verdict:
        yield metrics.DRIFT_COLUMNS, (table.name, verdict), float(counts[verdict])
    for column in table.columns:
        yield from _column(table.name, column)


def _column(table: str, column: ColumnDrift) -> Iterator[Sample]:
    yield from _verdict(metrics.DRIFT_VERDICT, (table, column.column), column.verdict)
    for measure in column.measures:
        labels = table, column.column, measure.name
        yield metrics.DRIFT_STATISTIC, labels, measure.value
        yield metrics.DRIFT_LIMIT, labels, measure.limit
    if column.live_missing is not None:
        yield metrics.DRIFT_STATISTIC, (table, column.column, "missing_share"), column.live_missing


def _quality(quality: QualityDrift) -> Iterator[Sample]:
    yield from _verdict(metrics.DRIFT_TABLE_VERDICT, (QUALITY,), quality.verdict)
    yield metrics.DRIFT_QUALITY_USERS, (), float(quality.users)
    yield metrics.DRIFT_QUALITY_NDCG, ("reference",), quality.reference_mean
    if quality.live_mean is not None:
        yield metrics.DRIFT_QUALITY_NDCG, ("live",), quality.live_mean


def _verdict(metric: Metric, labels: tuple[str, ...], verdict: Verdict) -> Iterator[Sample]:
    if verdict is not Verdict.TOO_SMALL:
        yield metric, labels, float(verdict is Verdict.DRIFTED)
