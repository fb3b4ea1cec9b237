"""An Evidently report of a bounded sample, for people; the verdict comes from the statistics of all rows."""

import warnings
from collections.abc import Sequence
from typing import Any

import pandas as pd

from components.contracts.errors import FeatureError
from components.drift.kinds import IDENTIFIER_COLUMNS, ColumnKind
from components.drift.report import DriftReport
from components.drift.thresholds import DriftThresholds

SAMPLE_ROWS = 5_000


def columns_to_show(report: DriftReport, table: str, limit: int) -> dict[str, ColumnKind]:
    """Return the columns of a table that drifted most by the full-size statistics, worst first, with their kinds."""
    drift = report.table(table)
    if drift is None:
        raise FeatureError(f"drift report has no table {table}; it has {', '.join(t.name for t in report.tables)}")
    return {column.column: column.kind for column in drift.worst_first()[:limit]}


def evidently_html(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    columns: dict[str, ColumnKind],
    thresholds: DriftThresholds | None = None,
) -> str:
    """Return one self-contained HTML page: Evidently's drift table of two sampled frames, by PSI.

    Frames of more than ``SAMPLE_ROWS`` rows are sampled (seeded); columns that both frames do not have, or that hold
    no value, are left out. Raises ``FeatureError`` when nothing is left to show. About a second and 4.6 MB (nearly all
    of it Evidently's own scripts) for 5,000 rows and 15 columns.
    """
    reference, current = _sampled(reference), _sampled(current)
    shown = {name: kind for name, kind in columns.items() if _can_show(name, reference, current)}
    if not shown:
        raise FeatureError(f"nothing to show: none of {', '.join(columns)} has values in both samples")
    numeric = [name for name, kind in shown.items() if kind is ColumnKind.NUMERIC]
    categorical = [name for name, kind in shown.items() if kind is ColumnKind.CATEGORICAL]
    return _render(
        _typed(reference, numeric, categorical),
        _typed(current, numeric, categorical),
        numeric,
        categorical,
        (thresholds or DriftThresholds()).psi,
    )


def _sampled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame if len(frame) <= SAMPLE_ROWS else frame.sample(SAMPLE_ROWS, random_state=0)


def _can_show(name: str, reference: pd.DataFrame, current: pd.DataFrame) -> bool:
    if name in IDENTIFIER_COLUMNS:
        return False
    return all(name in frame.columns and bool(frame[name].notna().any()) for frame in (reference, current))


def _typed(frame: pd.DataFrame, numeric: Sequence[str], categorical: Sequence[str]) -> pd.DataFrame:
    """Return float64 and text columns only: Evidently guesses kinds by dtype and fails on extension types."""
    columns: dict[str, Any] = {name: pd.to_numeric(frame[name]).astype("float64") for name in numeric}
    for name in categorical:
        text = frame[name].astype("object")
        columns[name] = text.where(text.isna(), text.astype(str))
    return pd.DataFrame(columns).reset_index(drop=True)


def _render(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    numeric: list[str],
    categorical: list[str],
    psi_threshold: float,
) -> str:
    with warnings.catch_warnings():
        # Evidently 0.7 imports numpy.core and deprecated litestar names, and divides by empty bins: its own affair.
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        definition = DataDefinition(numerical_columns=numeric, categorical_columns=categorical)
        any_column = 1 / (len(numeric) + len(categorical))  # by default half the columns must drift: not our verdict
        preset = DataDriftPreset(method="psi", threshold=psi_threshold, drift_share=any_column)
        snapshot = Report([preset]).run(
            Dataset.from_pandas(current, data_definition=definition),
            Dataset.from_pandas(reference, data_definition=definition),
        )
        return str(snapshot.get_html_str(as_iframe=False))
