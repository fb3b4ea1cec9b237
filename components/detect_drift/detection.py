"""Compare live windows with the reference sketches of the bundle that serves."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

import pyarrow as pa

from components.drift.comparison import check_tables, compare
from components.drift.quality import KnownOutcomes, compare_quality
from components.drift.report import DriftReport
from components.drift.sketches import Sketches, TableSketch, sketch_table
from components.drift.thresholds import DriftThresholds

LiveRows: TypeAlias = pa.Table | pa.RecordBatchReader | Iterable[pa.RecordBatch]


def detect_drift(
    reference: Sketches,
    live: Mapping[str, LiveRows],
    thresholds: DriftThresholds | None = None,
    units: Mapping[str, str] | None = None,
    outcomes: KnownOutcomes | None = None,
) -> DriftReport:
    """Sketch live tables by name (``features``, ``predictions``, ``data``) and compare them with the reference.

    A reference table that has no live rows here is not compared. Columns that the reference does not watch are
    ignored; a watched column that is absent has drifted. ``units`` names, per table, the column within which rows
    depend on each other (user or request). ``outcomes`` are given once they are known. Raises ``FeatureError`` for a
    table without reference and for values of the wrong kind.
    """
    check_tables(reference, live)
    sketches = {name: sketch_live(reference.tables[name], rows, (units or {}).get(name)) for name, rows in live.items()}
    report = compare(reference, Sketches(sketches), thresholds)
    if outcomes is None:
        return report
    return replace(report, quality=compare_quality(outcomes, thresholds))


def sketch_live(reference: TableSketch, rows: LiveRows, unit: str | None = None) -> TableSketch:
    """Sketch live rows by the reference's columns and kinds, as far as the live rows have these columns."""
    batches = rows.to_batches() if isinstance(rows, pa.Table) else rows
    iterator = iter(batches)
    first = next(iterator, None)
    if first is None:
        return sketch_table([], reference.kinds, unit)
    present = {name: kind for name, kind in reference.kinds.items() if name in first.schema.names}
    return sketch_table(_chained(first, iterator), present, unit)


def _chained(first: pa.RecordBatch, rest: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    yield first
    yield from rest
