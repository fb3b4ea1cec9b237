"""Distributions of stored columns, for the report: quantiles and a histogram of a sample."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

SAMPLE_ROWS = 20_000
BINS = 20


def distributions(rows: pa.Table) -> dict[str, dict[str, Any]]:
    """Describe each float32 column of a snapshot: missing share, quantiles, histogram of its middle 98 %."""
    step = max(1, len(rows) // SAMPLE_ROWS)
    sample = rows.take(np.arange(0, len(rows), step))
    return {
        field.name: _described(sample[field.name].to_numpy(zero_copy_only=False).astype(np.float64))
        for field in rows.schema
        if field.type == pa.float32()
    }


def _described(values: NDArray[np.float64]) -> dict[str, Any]:
    present = values[np.isfinite(values)]
    described: dict[str, Any] = {"missing": round(1 - len(present) / max(len(values), 1), 4)}
    if not len(present):
        return described
    low, quarter, median, three_quarters, high = np.quantile(present, [0.01, 0.25, 0.5, 0.75, 0.99])
    counts, edges = np.histogram(present, bins=BINS, range=(low, high if high > low else low + 1))
    return described | {
        "mean": float(present.mean()),
        "quantiles": {"1%": low, "25%": quarter, "50%": median, "75%": three_quarters, "99%": high},
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
    }
