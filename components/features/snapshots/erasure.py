"""Erasing a user from the snapshots: files that hold their row are written anew, in the pool and in every set."""

import os
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.features.snapshots.pool import write_rows
from components.features.snapshots.sets import link
from components.home.data_subject import USER_ID, Erased, Person
from components.home.durable import move_durably, remove_folder
from components.home.presence import files_below, names_in

PARQUET = ".parquet"
LEFT_BEHIND = ".*"  # drafts, and what was on its way out, of processes that were killed


def erase_snapshots(features: Path, person: Person) -> Erased:
    """Write every snapshot that holds a user's row without it; what links to one file links to one file afterwards.

    ``features`` is ``home.features``, in which nothing else is at work. Sets and pool keep their names: these are made
    of definitions and clean rows, which differ from now on.
    """
    removed = sum(
        _remove(path) for folder in ("pool", "sets") for path in sorted((features / folder).rglob(LEFT_BEHIND))
    )
    snapshots = (path for path in files_below(features) if path.suffix == PARQUET)
    erased = [_erase(paths, person) for paths in _by_content(snapshots)]
    return sum(erased, Erased(files=removed))


def erase_examples(examples: Path, person: Person) -> Erased:
    """Remove the folders of ranking examples that hold requests of a user; a run that needs them builds them anew."""
    folders = [examples / name for name in names_in(examples) if (examples / name).is_dir()]
    total = Erased()
    for folder in folders:
        rows = [_rows_of(path, person) for path in files_below(folder) if path.suffix == PARQUET]
        total += Erased(searched=len(rows))
        if folder.name.startswith(".") or any(rows):
            remove_folder(folder)
            total += Erased(sum(rows), len(rows))
    return total


def _remove(path: Path) -> int:
    if path.is_dir():
        remove_folder(path)
        return 1
    with suppress(FileNotFoundError):  # it went with its folder
        path.unlink()
        return 1
    return 0


def _by_content(paths: Iterable[Path]) -> list[list[Path]]:
    """Group paths that are links to one file."""
    groups: dict[tuple[int, int], list[Path]] = defaultdict(list)
    for path in sorted(paths):
        found = path.stat()
        groups[found.st_dev, found.st_ino].append(path)
    return list(groups.values())


def _rows_of(path: Path, person: Person) -> int:
    try:
        if USER_ID not in pq.read_schema(path).names:
            return 0
        ids = pq.read_table(path, columns=[USER_ID], partitioning=None)[USER_ID]
    except pa.ArrowInvalid:  # no whole Parquet file: a draft
        return 0
    return int(pc.sum(pc.equal(ids, person.user_id)).as_py() or 0)


def _erase(paths: list[Path], person: Person) -> Erased:
    rows = _rows_of(paths[0], person)
    if rows:
        table = pq.read_table(paths[0], partitioning=None)
        _replace(paths, table.filter(pc.not_equal(table[USER_ID], person.user_id)))
    return Erased(rows, len(paths) if rows else 0, 1)


def _replace(paths: list[Path], rows: pa.Table) -> None:
    """Put one new file under all names of an old one; each name has the old rows or the new ones, whole."""
    first = paths[0]
    draft = first.with_name(f".{first.name}.{os.getpid()}")
    write_rows(draft, rows)
    move_durably(draft, first)
    for path in paths[1:]:
        other = path.with_name(f".{path.name}.{os.getpid()}")
        link(first, other)
        other.replace(path)
