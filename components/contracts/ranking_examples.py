"""Ranking examples on disk: ``build_training_set`` writes them for ``train_ranker`` and ``evaluate_ranker``.

::

    <folder>/examples.json            ExamplesManifest
    <folder>/<split>_features.npy     float32 [rows, features], memory-mapped
    <folder>/<split>_baselines.npy    float32 [rows, baselines], memory-mapped
    <folder>/<split>_rows.parquet     ROWS
    <folder>/<split>_requests.parquet REQUESTS

Rows are sorted by request, then item position; a request's rows are never split. ``relevant`` counts all distinct
items of the request's outcomes, also those that are not among the candidates. Splits: train, validation, heldout.
"""

import json
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.contracts.json_documents import parse_json

SPLITS = ("train", "validation", "heldout")

ROWS = pa.schema(
    [
        ("request", pa.int32()),
        ("item_id", pa.string()),
        ("item_position", pa.int32()),  # orders ties, as in ``ItemRows`` of the request's moment
        ("label", pa.float32()),
        ("weight", pa.float32()),
        ("position", pa.int32()),  # where the item was shown, from 1; null unless it comes from an impression
    ]
)
REQUESTS = pa.schema(
    [
        ("request", pa.int32()),
        ("user_id", pa.string()),
        ("request_time", pa.timestamp("us", tz="UTC")),
        ("relevant", pa.int32()),
        ("slices", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True)
class ExamplesManifest:
    """A description of the examples."""

    feature_names: list[str]
    feature_list: str  # hash of the ordered feature list and its version
    feature_revision: str  # revision of the feature views that the rows came from
    baseline_names: list[str]
    as_of: str  # ISO 8601
    train_end: str  # last moment of any training or validation label, ISO 8601
    heldout_start: str  # first held-out request, ISO 8601
    horizon_days: int
    request_constant: list[str]  # features that cannot vary within a request
    enough: bool  # False: too few users or too short a history to train or judge on
    shortfall: str | None = None  # why, in words


@dataclass(frozen=True)
class Split:
    """One split, features memory-mapped."""

    features: NDArray[np.float32]
    baselines: NDArray[np.float32]
    rows: pa.Table
    requests: pa.Table

    @property
    def group_sizes(self) -> NDArray[np.int64]:
        """Return rows of each request, in order."""
        return np.bincount(self.rows["request"].to_numpy(), minlength=len(self.requests))


def write_manifest(folder: Path, manifest: ExamplesManifest) -> None:
    """Write ``examples.json``."""
    (folder / "examples.json").write_text(json.dumps(asdict(manifest), indent=1, sort_keys=True))


def read_manifest(folder: Path) -> ExamplesManifest:
    """Read ``examples.json``."""
    return parse_json(ExamplesManifest, (folder / "examples.json").read_bytes())


class MatrixFile:
    """A float32 matrix written to a ``.npy`` file a block of rows at a time."""

    def __init__(self, path: Path, columns: int) -> None:
        self._file = path.open("wb")
        self._columns = columns
        self._rows = 0
        self._write_header()

    def append(self, block: NDArray[np.float32]) -> None:
        """Add rows."""
        np.ascontiguousarray(block, dtype=np.float32).tofile(self._file)
        self._rows += len(block)

    def close(self) -> None:
        """Finish the file: now it says how many rows it has."""
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        # NumPy pads headers so that the number of rows may grow without moving the data.
        header = {"descr": "<f4", "fortran_order": False, "shape": (self._rows, self._columns)}
        np.lib.format.write_array_header_1_0(self._file, header)


class SplitFiles:
    """Writes one split's four files in blocks of whole requests; requests are numbered in the order they come."""

    def __init__(self, folder: Path, name: str, features: int, baselines: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._stack = ExitStack()
        self._features = MatrixFile(folder / f"{name}_features.npy", features)
        self._baselines = MatrixFile(folder / f"{name}_baselines.npy", baselines)
        self._rows = pq.ParquetWriter(folder / f"{name}_rows.parquet", ROWS)
        self._requests = pq.ParquetWriter(folder / f"{name}_requests.parquet", REQUESTS)
        for file in (self._features, self._baselines, self._rows, self._requests):
            self._stack.callback(file.close)
        self.requests = 0
        self.rows = 0

    def append(self, block: Split) -> None:
        """Add a block whose requests are numbered from 0."""
        numbered = pc.add(block.rows["request"], pa.scalar(self.requests, pa.int32()))
        requests = pc.add(block.requests["request"], pa.scalar(self.requests, pa.int32()))
        self._features.append(block.features)
        self._baselines.append(block.baselines)
        self._rows.write_table(block.rows.set_column(0, "request", numbered).cast(ROWS))
        self._requests.write_table(block.requests.set_column(0, "request", requests).cast(REQUESTS))
        self.requests += len(block.requests)
        self.rows += len(block.rows)

    def __enter__(self) -> "SplitFiles":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def read_split(folder: Path, name: str) -> Split:
    """Read one split; the matrices stay on disk until they are touched."""
    return Split(
        features=np.load(folder / f"{name}_features.npy", mmap_mode="r"),
        baselines=np.load(folder / f"{name}_baselines.npy", mmap_mode="r"),
        rows=pq.read_table(folder / f"{name}_rows.parquet"),
        requests=pq.read_table(folder / f"{name}_requests.parquet"),
    )
