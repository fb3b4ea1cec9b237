"""Erase a user from the snapshots: replace each file with their row, and name the new file in the manifests."""

from dataclasses import asdict
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.features.snapshots.earlier_layout import carry_over
from components.features.snapshots.pool import POOL, PoolFile, pool_names, sync_names, write_by_content
from components.features.snapshots.sets import read_manifests, write_manifest
from components.home.data_subject import USER_ID, DataSubject, Erased
from components.home.storage.documents import list_names, names_below, remove_document
from components.home.storage.locations import Location
from components.home.storage.objects import has_folder, remove_folder
from components.home.storage.scratch import uncached_file

PARQUET, DOCUMENT = ".parquet", ".json"


def erase_snapshots(features: Location, person: DataSubject) -> Erased:
    """Replace every pool file with a row of a user by one without it, named by its content.

    ``features`` is ``home.features``, in which no other process writes. Sets keep their digests, which are made of
    definitions and clean rows. After a kill at any moment, a second call finishes the work.
    """
    carry_over(features)
    total = Erased()
    for name in list(pool_names(features / POOL)):
        if PurePosixPath(name).name.startswith("."):  # a draft of a process that was killed
            remove_document(features / POOL / name)
            total += Erased(files=1)
        else:
            total += _erase_from_file(features, name, person)
    return total


def erase_examples(examples: Location, person: DataSubject) -> Erased:
    """Remove folders of ranking examples with requests of a user; a run that needs them builds them again."""
    names = [name for name in list_names(examples) if not name.endswith(DOCUMENT)]
    return sum((_erase_folder(examples / name, person) for name in names), Erased())


def _erase_folder(place: Location, person: DataSubject) -> Erased:
    is_whole = has_folder(place) and not place.name.startswith(".")
    names = [name for name in names_below(place) if name.endswith(PARQUET)] if is_whole else []
    rows = [_rows_of(place / name, person) for name in names]
    if is_whole and not any(rows):
        return Erased(searched=len(rows))
    remove_folder(place)
    return Erased(sum(rows), len(rows), len(rows))


def _rows_of(file: Location, person: DataSubject) -> int:
    with uncached_file(file) as path:
        return _rows_in(path, person)


def _rows_in(path: Path, person: DataSubject) -> int:
    try:
        if USER_ID not in pq.read_schema(path).names:
            return 0
        ids = pq.read_table(path, columns=[USER_ID], partitioning=None)[USER_ID]
    except pa.ArrowInvalid:  # an incomplete Parquet file: a draft
        return 0
    return int(pc.sum(pc.equal(ids, person.user_id)).as_py() or 0)


def _erase_from_file(features: Location, name: str, person: DataSubject) -> Erased:
    with uncached_file(features / POOL / name) as path:
        rows = _rows_in(path, person)
        if rows:
            table = pq.read_table(path, partitioning=None)
            _replace(features, name, table.filter(pc.not_equal(table[USER_ID], person.user_id)))
    return Erased(rows, 1 if rows else 0, 1)


def _replace(features: Location, name: str, rows: pa.Table) -> None:
    """Replace a pool file by one of other rows, in all manifests too."""
    file = write_by_content(features / POOL, name, rows)
    sync_names(features / POOL, [file.name])
    _replace_in_manifests(features, name, file)
    remove_document(features / POOL / name)


def _replace_in_manifests(features: Location, name: str, file: PoolFile) -> None:
    """Replace a pool file by another in all manifests that name it."""
    for digest, manifest in read_manifests(features).items():
        files = {
            view: {day: asdict(file) if each["name"] == name else each for day, each in days.items()}
            for view, days in manifest["files"].items()
        }
        if files != manifest["files"]:
            write_manifest(features, digest, manifest | {"files": files})
