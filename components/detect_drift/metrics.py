"""A drift report as flat metrics, named as Prometheus wants them."""

import re
from collections.abc import Iterator

from components.drift.report import ColumnDrift, DriftReport, QualityDrift, TableDrift, Verdict

PREFIX = "rankloop_drift"
_UNSAFE = re.compile(r"[^a-zA-Z0-9_]+")


def drift_metrics(report: DriftReport) -> dict[str, float]:
    """Return metric name → value: the verdicts, per table sums, and every statistic of every column.

    Flags are 1.0 or 0.0; shares are in 0..1. A statistic that was not computed has no entry. Of columns whose names
    differ only in characters that Prometheus does not take, the larger value stands. NDCG is cut at the shop's k, which
    is not part of a name: an alert is written once for all shops.
    """
    metrics = {
        _name("drifted"): float(report.drifted),
        _name("judged"): float(report.verdict is not Verdict.TOO_SMALL),
    }
    for table in report.tables:
        metrics |= _table_metrics(table)
    return metrics | _quality_metrics(report.quality) if report.quality is not None else metrics


def _table_metrics(table: TableDrift) -> dict[str, float]:
    metrics = {
        _name(table.name, "judged"): float(table.verdict is not Verdict.TOO_SMALL),
        _name(table.name, "drifted"): float(table.verdict is Verdict.DRIFTED),
        _name(table.name, "drifted_columns"): float(len(table.drifted_columns)),
        _name(table.name, "columns"): float(len(table.columns)),
        _name(table.name, "rows"): float(table.live_rows),
    }
    for column in table.columns:
        for statistic, value in _column_values(column):
            name = _name(table.name, column.column, statistic)
            metrics[name] = max(value, metrics.get(name, value))
    return metrics


def _column_values(column: ColumnDrift) -> Iterator[tuple[str, float]]:
    yield "drifted", float(column.verdict is Verdict.DRIFTED)
    for measure in column.measures:
        yield measure.name, measure.value
    if column.live_missing is not None:
        yield "missing_share", column.live_missing


def _quality_metrics(quality: QualityDrift) -> dict[str, float]:
    metrics = {
        _name("quality", "judged"): float(quality.verdict is not Verdict.TOO_SMALL),
        _name("quality", "drifted"): float(quality.verdict is Verdict.DRIFTED),
        _name("quality", "users"): float(quality.users),
        _name("quality", "reference_ndcg"): quality.reference_mean,
    }
    if quality.live_mean is not None:
        metrics[_name("quality", "live_ndcg")] = quality.live_mean
    return metrics


def _name(*parts: str) -> str:
    return "_".join([PREFIX, *(_UNSAFE.sub("_", part) for part in parts)])
