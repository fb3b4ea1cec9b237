"""The pool: one file a view and day, named by everything that decides its content; nothing is computed twice."""

import os
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from components.features.snapshots.sets import day_name
from components.home.durable import move_durably


def pool_path(pool: Path, revision: str, view: str, day: datetime, rows_digest: str) -> Path:
    """Where the snapshot of a view at a day lies, for given definitions and given clean rows."""
    return pool / revision / view / f"{day_name(day)}-{rows_digest}.parquet"


def write_snapshot(path: Path, rows: pa.Table) -> None:
    """Write a snapshot so that the file is either whole or not there, whatever happens."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    write_rows(draft, rows)
    move_durably(draft, path)


def write_rows(path: Path, rows: pa.Table) -> None:
    """Write rows as snapshots are kept."""
    pq.write_table(
        rows, path, compression="lz4", use_dictionary=["event_timestamp"], write_statistics=["event_timestamp"]
    )


def prune_pool(pool: Path, keep: Collection[Path]) -> int:
    """Remove snapshots that no set links to, except ``keep``, and drafts of killed runs; return how many went."""
    kept = {path.resolve() for path in keep}
    unused = [
        path
        for path in pool.glob("*/*/*.parquet*")
        if path.name.startswith(".") or (path.stat().st_nlink == 1 and path.resolve() not in kept)
    ]
    for path in unused:
        path.unlink(missing_ok=True)
    return len(unused)
