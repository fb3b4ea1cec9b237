"""Ranking examples on disk: what ``build_training_set`` leaves for ``train_ranker`` and ``evaluate_ranker``.

::

    <folder>/examples.json            ExamplesManifest
    <folder>/<split>_features.npy     float32 [rows, features], memory-mapped
    <folder>/<split>_baselines.npy    float32 [rows, baselines], memory-mapped
    <folder>/<split>_rows.parquet     request int32, item_id, item_position int32, label float32, weight float32, position int32
    <folder>/<split>_requests.parquet request int32, user_id, request_time, relevant int32, slices list<string>

Rows are sorted by request, then item position; a request's rows are never split. ``relevant`` counts all distinct
items of the request's outcomes, also those that are not among the candidates. Splits: train, validation, heldout.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

SPLITS = ("train", "validation", "heldout")


@dataclass(frozen=True)
class ExamplesManifest:
    """What the examples hold."""

    feature_names: list[str]
    feature_list: str  # hash of the ordered feature list and its definitions
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
        """Rows of each request, in order."""
        return np.bincount(self.rows["request"].to_numpy(), minlength=len(self.requests))


def write_manifest(folder: Path, manifest: ExamplesManifest) -> None:
    """Write ``examples.json``."""
    (folder / "examples.json").write_text(json.dumps(asdict(manifest), indent=1, sort_keys=True))


def read_manifest(folder: Path) -> ExamplesManifest:
    """Read ``examples.json``."""
    return ExamplesManifest(**json.loads((folder / "examples.json").read_text()))


def write_split(folder: Path, name: str, split: Split) -> None:
    """Write one split's four files."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}_features.npy", split.features)
    np.save(folder / f"{name}_baselines.npy", split.baselines)
    pq.write_table(split.rows, folder / f"{name}_rows.parquet")
    pq.write_table(split.requests, folder / f"{name}_requests.parquet")


def read_split(folder: Path, name: str) -> Split:
    """Read one split; the matrices stay on disk until they are touched."""
    return Split(
        features=np.load(folder / f"{name}_features.npy", mmap_mode="r"),
        baselines=np.load(folder / f"{name}_baselines.npy", mmap_mode="r"),
        rows=pq.read_table(folder / f"{name}_rows.parquet"),
        requests=pq.read_table(folder / f"{name}_requests.parquet"),
    )
