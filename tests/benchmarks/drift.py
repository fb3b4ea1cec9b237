"""Drift statistics against Evidently's drift preset, and their memory from 200 thousand to 20 million rows.

    python -m tests.benchmarks.drift

Both sides start from the same two pandas frames in memory and end with a verdict per column; imports are not
counted. Memory is the peak resident set of a fresh process per size that sketches a stream of generated batches.
"""

import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from components.drift.comparison import compare
from components.drift.kinds import ColumnKind, column_kinds
from components.drift.sketch_codec import sketches_to_json
from components.drift.sketches import BATCH_ROWS, Sketches, TableSketch, sketch_table

ROWS = 200_000
STREAM_ROWS = (200_000, 2_000_000, 20_000_000)
STREAM_KINDS = {f"f{n}": ColumnKind.NUMERIC for n in range(4)} | {"brand": ColumnKind.CATEGORICAL}
REPEATS = 3


def frame(seed: int) -> pd.DataFrame:
    """Return 200,000 rows of 20 columns: 18 numeric of three shapes, 2 categorical; three of them move."""
    rng = np.random.default_rng(seed)
    columns: dict[str, object] = {}
    for n in range(6):
        columns[f"bell_{n}"] = rng.normal(seed if n < 3 else 0, 1, ROWS)
        columns[f"tail_{n}"] = rng.lognormal(1, 1.5, ROWS)
        columns[f"count_{n}"] = rng.poisson(3, ROWS)
    columns["brand"] = np.array([f"brand-{n}" for n in range(40)])[rng.integers(0, 40, ROWS)]
    columns["segment"] = np.array(["new", "loyal", "lapsed"])[rng.integers(0, 3, ROWS)]
    return pd.DataFrame(columns)


def ours(reference: pd.DataFrame, live: pd.DataFrame) -> int:
    """Return how many columns drifted by our statistics at full size."""
    before, after = sketches_of(reference), sketches_of(live)
    return len(compare(before, after).tables[0].drifted_columns)


def sketches_of(rows: pd.DataFrame) -> Sketches:
    """Return the sketches of a frame."""
    table = pa.Table.from_pandas(rows, preserve_index=False)
    return Sketches({"features": sketch_table(table.to_batches(), column_kinds(table.schema))})


def evidently(reference: pd.DataFrame, live: pd.DataFrame) -> int:
    """Return how many columns drifted by Evidently's preset with its default methods."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    categorical = ["brand", "segment"]
    numeric = [name for name in reference.columns if name not in categorical]
    definition = DataDefinition(numerical_columns=numeric, categorical_columns=categorical)
    snapshot = Report([DataDriftPreset()]).run(
        Dataset.from_pandas(live, data_definition=definition),
        Dataset.from_pandas(reference, data_definition=definition),
    )
    return int(snapshot.dict()["metrics"][0]["value"]["count"])


def seconds(work: Callable[[], int]) -> tuple[float, int]:
    """Return (seconds, result) of one call."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def stream(rows: int) -> Iterator[pa.RecordBatch]:
    """Generate batches until there are ``rows`` rows; one batch is in memory at a time."""
    rng = np.random.default_rng(0)
    brands = pa.array([f"brand-{n}" for n in range(500)])
    for start in range(0, rows, BATCH_ROWS):
        size = min(BATCH_ROWS, rows - start)
        columns = {
            name: pa.array(rng.standard_normal(size)) for name, kind in STREAM_KINDS.items() if kind == "numeric"
        }
        indices = pa.array(rng.integers(0, 500, size, dtype=np.int32))
        yield pa.RecordBatch.from_pydict(columns | {"brand": pa.DictionaryArray.from_arrays(indices, brands)})


def stream_and_report(rows: int) -> None:
    """Sketch a stream and print: peak resident MiB, seconds, bytes of the sketch."""
    start = time.perf_counter()
    sketch: TableSketch = sketch_table(stream(rows), STREAM_KINDS)
    took = time.perf_counter() - start
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    print(peak / 1024, took, len(sketches_to_json(Sketches({"features": sketch}))))


def measure_stream(rows: int) -> tuple[float, float, int]:
    """Return (peak MiB, seconds, sketch bytes) of a fresh process that sketches a stream of ``rows`` rows."""
    command = [sys.executable, "-m", "tests.benchmarks.drift", str(rows)]
    peak, took, size = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(peak), float(took), int(size)


def main() -> None:
    """Print both comparisons."""
    reference, live = frame(0), frame(1)
    ours(reference.head(1000), live.head(1000))
    own, own_drifted = sorted(seconds(lambda: ours(reference, live)) for _ in range(REPEATS))[REPEATS // 2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evidently(reference.head(1000), live.head(1000))
        peer, peer_drifted = seconds(lambda: evidently(reference, live))
    print(f"drift statistics, {ROWS:,} x {reference.shape[1]}, both windows from frames to verdicts")
    print(f"  ours       {own:8.3f} s  ({own_drifted} columns drifted)")
    print(f"  evidently  {peer:8.3f} s  ({peer_drifted} columns drifted)")
    print(f"  ratio      {peer / own:8.1f} x  (to reach: 30)")
    print(f"peak memory of a process that sketches a stream of {len(STREAM_KINDS)} columns")
    peaks = []
    for rows in STREAM_ROWS:
        peak, took, size = measure_stream(rows)
        peaks.append(peak)
        print(f"  {rows:>12,} rows  {peak:7.1f} MiB  {took:6.2f} s with generating  sketch {size:,} bytes")
    growth = peaks[-1] / peaks[0]
    print(f"  ratio        {growth:8.2f} x from {STREAM_ROWS[0]:,} to {STREAM_ROWS[-1]:,} rows (to reach: flat)")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        stream_and_report(int(sys.argv[1]))
    else:
        main()
