"""Distributions of stored columns, for the report: quantiles and a histogram of a sample."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.contracts.steps.facts import ColumnFacts, Histogram

SAMPLE_ROWS = 20_000
BINS = 20
PERCENTILES = (1, 25, 50, 75, 99)


def distributions(rows: pa.Table) -> dict[str, ColumnFacts]:
    """Describe each float32 column of a snapshot: missing share, quantiles, histogram of its middle 98 %."""
    step = max(1, len(rows) // SAMPLE_ROWS)
    sample = rows.take(np.arange(0, len(rows), step))
    return {
        field.name: _column_facts(sample[field.name].to_numpy(zero_copy_only=False).astype(np.float64))
        for field in rows.schema
        if field.type == pa.float32()
    }


def _column_facts(values: NDArray[np.float64]) -> ColumnFacts:
    present = values[np.isfinite(values)]
    missing = round(1 - len(present) / max(len(values), 1), 4)
    if not len(present):
        return ColumnFacts(missing)
    quantiles = np.quantile(present, [share / 100 for share in PERCENTILES]).tolist()
    low, high = quantiles[0], quantiles[-1]
    counts, edges = np.histogram(present, bins=BINS, range=(low, high if high > low else low + 1))
    return ColumnFacts(
        missing,
        float(present.mean()),
        {f"{share}%": value for share, value in zip(PERCENTILES, quantiles, strict=True)},
        Histogram(edges.tolist(), counts.tolist()),
    )
