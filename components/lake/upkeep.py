"""Upkeep of Delta tables: small files become large ones, and versions without a reference are deleted.

Runs, feature sets and bundles name the versions that they can be repeated from.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from deltalake.exceptions import DeltaError

from components.contracts.errors import HomeBusyError, RankloopError
from components.home.layout import Home
from components.home.storage.documents import has_document, list_names, read_document, write_document
from components.home.storage.held import check_held
from components.home.storage.locations import Location
from components.lake.tables import KEEP_HISTORY, LOG, Notes, note_properties, open_table, read_notes

Versions = dict[str, int]
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError)
SMALL_FILES = 16  # compaction starts at this number of files
TARGET_BYTES = 256 * 2**20
RETENTION_HOURS = 24 * 7
LAST_VACUUM = ".last_vacuum"


def named_versions(home: Home) -> dict[Location, set[int]]:
    """Return the versions that documents name, by table; a run names them as long as its folder exists.

    Raises:
        UNREADABLE: a document that may name versions cannot be read, or is none.
    """
    named: dict[Location, set[int]] = defaultdict(set)
    for kind, versions in _naming(home):
        for table, version in versions.items():
            named[home.table_path(kind, table)].add(version)
    return named


def _naming(home: Home) -> Iterator[tuple[str, Versions]]:
    for record in _documents_below(home.runs, "steps"):
        for handle in _read(record).get("handles", {}).values():
            yield handle["kind"], handle["versions"]
    models = home.models / "models"
    bundles = [path for name in list_names(models) for path in _documents(models / name, "sidecar.json")]
    for described in (*_manifests(home.features / "sets"), *bundles):
        yield "clean", _read(described)["versions"]


def _manifests(sets: Location) -> Iterator[Location]:
    """Yield the manifests of feature sets; those of a home that the next run carries over lie in folders."""
    for name in list_names(sets):
        if name.endswith(".json"):
            yield sets / name
        elif has_document(sets / name / "set.json"):
            yield sets / name / "set.json"


def _documents_below(folder: Location, name: str) -> Iterator[Location]:
    """Yield the JSON documents in the folder ``name`` of each folder in a folder."""
    for place in [folder / each / name for each in list_names(folder)]:
        yield from (place / each for each in list_names(place) if each.endswith(".json"))


def _documents(folder: Location, name: str) -> Iterator[Location]:
    """Yield the documents called ``name`` of each folder in a folder."""
    yield from (folder / each / name for each in list_names(folder) if name in list_names(folder / each))


def _read(document: Location) -> dict[str, Any]:
    content = read_document(document)
    if content is None:
        raise FileNotFoundError(str(document))
    named: dict[str, Any] = json.loads(content)
    return named


def compact_table(uri: Location, small_files: int = SMALL_FILES) -> bool:
    """Merge a table's small files once there are many; rows, notes and older versions stay what they are.

    Returns:
        Whether there was anything to merge.
    """
    table = open_table(uri)
    if table is None or len(table.file_uris()) < small_files:
        return False
    notes: Notes = read_notes(uri)
    check_held(uri)
    table.optimize.compact(
        target_size=TARGET_BYTES, commit_properties=note_properties(uri, notes), post_commithook_properties=KEEP_HISTORY
    )
    return True


def tidy_tables(home: Home, folder: Location, retention_hours: int = RETENTION_HOURS) -> None:
    """Merge the small files of the tables directly below a folder of a home, and now and then let go of old versions.

    Versions without a reference are deleted once in a retention. What fails is left to a later call.

    Raises:
        HomeBusyError: the run has lost its home to another.
    """
    try:
        tables = [folder / name for name in list_names(folder) if list_names(folder / name / LOG)]
        for uri in tables:
            compact_table(uri)
        if tables and _is_time(folder / LAST_VACUUM, retention_hours):
            named = named_versions(home)
            for uri in tables:
                vacuum_table(uri, named.get(uri, ()), retention_hours)
            write_document(folder / LAST_VACUUM, _now().isoformat().encode())
    except HomeBusyError:
        raise
    except (*UNREADABLE, DeltaError, RankloopError) as error:
        print(f"{folder}: small files and old versions are kept for now ({error})", file=sys.stderr)


def _is_time(last: Location, hours: int) -> bool:
    """Return whether a number of hours has passed since the moment in a document; without one, the time begins now."""
    try:
        moment = datetime.fromisoformat((read_document(last) or b"").decode())
    except ValueError:
        moment = _now()
        write_document(last, moment.isoformat().encode())
    return _now() - moment >= timedelta(hours=hours)


def _now() -> datetime:
    return datetime.now(UTC)


def vacuum_table(uri: Location, named: Collection[int], retention_hours: int = RETENTION_HOURS) -> list[str]:
    """Delete the files that neither the newest version, a named version, nor a recent one reads.

    Args:
        named: versions that a run or a bundle names; versions that are gone already are passed over.

    Returns:
        The files that were deleted.
    """
    table = open_table(uri)
    if table is None:
        return []
    notes = read_notes(uri)
    kept = sorted(version for version in set(named) if _oldest_version(uri) <= version <= table.version())
    check_held(uri)
    deleted: list[str] = table.vacuum(
        retention_hours=retention_hours,
        dry_run=False,
        enforce_retention_duration=False,
        full=True,
        keep_versions=kept or None,
        commit_properties=note_properties(uri, notes),
        post_commithook_properties=KEEP_HISTORY,
    )
    return deleted


def _oldest_version(uri: Location) -> int:
    """Return the version that a table's log begins with: the first, or that of a checkpoint once a log was cut."""
    names = list_names(uri / LOG)
    if f"{0:020}.json" in names:
        return 0
    return min((int(name.partition(".")[0]) for name in names if name.endswith(".checkpoint.parquet")), default=0)
