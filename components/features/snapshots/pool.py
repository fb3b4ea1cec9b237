"""The pool: one immutable file a view and day, named by what decides its content, so none is computed twice."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from components.home.disk.durable import make_folder_durably, sync_folder
from components.home.storage.cache import sha256_of
from components.home.storage.documents import names_below, remove_documents
from components.home.storage.locations import Location
from components.home.storage.objects import fetch_file, publish_file

POOL = "pool"  # in ``home.features``


@dataclass(frozen=True)
class PoolFile:
    """A file of the pool: its name below the pool, and the SHA-256 of its content."""

    name: str
    digest: str


def pool_name(revision: str, view: str, day: datetime, rows_digest: str) -> str:
    """Name the snapshot of a view at a day, for given definitions and given clean rows."""
    return f"{revision}/{view}/{day_name(day)}-{rows_digest}.parquet"


def content_name(sibling: str, digest: str) -> str:
    """Name a snapshot of the same view and day as ``sibling`` by its content, which the clean rows do not decide."""
    return f"{sibling.rpartition('-')[0]}-{digest[:16]}.parquet"


def day_name(day: datetime) -> str:
    """Return a snapshot's moment as part of a file name, such as ``20170821T000000``."""
    return day.strftime("%Y%m%dT%H%M%S") + (f"{day.microsecond:06d}" if day.microsecond else "")


def write_snapshot(pool: Location, name: str, rows: pa.Table) -> PoolFile:
    """Write a snapshot atomically: the file is either complete or missing."""
    with _draft(pool, name) as draft:
        write_rows(draft, rows)
        return PoolFile(name, publish_file(draft, pool / name))


def write_by_content(pool: Location, name: str, rows: pa.Table) -> PoolFile:
    """Write changed rows of a view and day as another file, named by its content."""
    with _draft(pool, name) as draft:
        write_rows(draft, rows)
        name = content_name(name, sha256_of(draft))
        return PoolFile(name, publish_file(draft, pool / name))


@contextmanager
def _draft(pool: Location, name: str) -> Iterator[Path]:
    """Yield a path to write a file at before it gets its name: on the disk of a pool that is a folder."""
    if isinstance(pool, Path):
        folder = (pool / name).parent
        make_folder_durably(folder)
        yield folder / f".{Path(name).name}.{os.getpid()}"
        return
    with TemporaryDirectory(prefix="rankloop-pool-") as scratch:
        yield Path(scratch) / "draft.parquet"


def write_rows(path: Path, rows: pa.Table) -> None:
    """Write rows as snapshots are kept."""
    pq.write_table(
        rows, path, compression="lz4", use_dictionary=["event_timestamp"], write_statistics=["event_timestamp"]
    )


def pool_names(pool: Location) -> Iterator[str]:
    """Yield the names of all files of the pool, drafts of killed runs among them."""
    return (name for name in names_below(pool) if ".parquet" in name)


def pool_file(pool: Location, name: str) -> PoolFile:
    """Return a file of the pool, with the digest of its content."""
    return PoolFile(name, sha256_of(fetch_file(pool / name)))


def sync_names(pool: Location, names: Collection[str]) -> None:
    """Make the names of finished files durable, in a folder."""
    if isinstance(pool, Path):
        for folder in {(pool / name).parent for name in names}:
            sync_folder(folder)


def prune_pool(pool: Location, keep: Collection[str]) -> int:
    """Remove all other files, and drafts of killed runs; return their number."""
    unused = [name for name in pool_names(pool) if name not in keep]
    remove_documents(pool / name for name in unused)
    return len(unused)
