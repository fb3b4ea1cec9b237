"""Delta tables: created, appended to, replaced and restored in single transactions that carry their own notes.

Tables stay readable by Spark and delta-rs alike: reader 1, writer 2, timestamps in microseconds with a zone, no
column mapping, no deletion vectors. *Notes* are a small JSON document in the commit itself, such as source offsets or
a watermark: rows and notes appear together or not at all.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote
from uuid import uuid4

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from components.contracts.errors import RankloopError, SourceError
from components.home.storage.bucket import delta_options
from components.home.storage.documents import list_names, read_document
from components.home.storage.held import check_held
from components.home.storage.locations import BucketPath, Location
from components.home.storage.objects import fetch_named

NOTES = "rankloop.notes"
COMMIT = "rankloop.commit"  # an id, by which a commit whose answer was lost finds itself
LOG = "_delta_log"  # within a table's folder
# A run may name an old version for as long as it likes: the log is never shortened behind its back.
CONFIGURATION: dict[str, str | None] = {"delta.enableExpiredLogCleanup": "false"}
# Opening a table reads each commit since its last checkpoint, in a bucket with two requests.
IN_A_BUCKET: dict[str, str | None] = {"delta.checkpointInterval": "10"}
KEEP_HISTORY = PostCommitHookProperties(cleanup_expired_logs=False)
Notes = dict[str, Any]
Rows: TypeAlias = pa.Table | pa.RecordBatchReader


def open_table(uri: Location, version: int | None = None) -> DeltaTable | None:
    """Open a table at a version (by default the newest); None if there is no table yet.

    Raises:
        SourceError: the version is gone, or the folder is not a Delta table that can be read.
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    try:
        return DeltaTable(address(uri), version=version, storage_options=options(uri))
    except TableNotFoundError as error:
        if not _has_log(uri, version) or version is None:
            return None
        raise _unreadable(uri, version, error) from error  # the log begins later: `rankloop forget` cut it
    except (DeltaError, OSError) as error:
        _has_log(uri, version)  # a bucket that refuses says why in one line
        raise _unreadable(uri, version, error) from error


def _has_log(uri: Location, version: int | None) -> bool:
    try:
        return bool(list_names(uri / LOG))
    except OSError as error:
        raise _unreadable(uri, version, error) from error


def _unreadable(uri: Location, version: int | None, error: Exception) -> SourceError:
    wanted = "its newest version" if version is None else f"version {version}"
    return SourceError(f"{uri}: {wanted} cannot be read ({error}); a run that names it cannot be repeated")


def table_version(uri: Location) -> int | None:
    """Return the newest version of a table; None if there is no table yet."""
    table = open_table(uri)
    return None if table is None else table.version()


def table_files(uri: Location, version: int | None = None) -> list[str]:
    """Paths of the Parquet files that make up a table at a version; none if there is no table yet.

    Those of a bucket are fetched into the cache: an engine reads local files.
    """
    names = file_names(uri, version)
    return [str(uri / name if isinstance(uri, Path) else fetch_named(uri / name)) for name in names]


def file_names(uri: Location, version: int | None = None) -> list[str]:
    """Return the names, below the table, of the Parquet files that make it up at a version; none without a table."""
    table = open_table(uri, version)
    return [] if table is None else [unquote(file).removeprefix(f"{uri}/") for file in table.file_uris()]


def read_notes(uri: Location, version: int | None = None) -> Notes:
    """Return the notes of the newest commit up to a version that carries any; empty if none does."""
    return next((notes for number, notes in noted_commits(uri) if version is None or number <= version), {})


def noted_commits(uri: Location) -> Iterator[tuple[int, Notes]]:
    """Yield the versions of a table whose commits have notes, with the notes, newest first."""
    newest = table_version(uri)
    for number in range(-1 if newest is None else newest, -1, -1):
        notes = _commit_notes(uri / LOG / f"{number:020}.json")
        if notes is not None:
            yield number, notes


def _commit_notes(commit: Location) -> Notes | None:
    written = _commit_metadata(commit, NOTES)
    return None if written is None else dict(json.loads(written))


def _commit_metadata(commit: Location, name: str) -> str | None:
    """Return metadata in a commit's file; deltalake 1.6 finds no history below a folder with # or ?."""
    content = read_document(commit)
    if content is None:  # another program has shortened the log
        return None
    for action in content.decode().splitlines():
        written = json.loads(action).get("commitInfo", {}).get(name)
        if written is not None:
            return str(written)
    return None


def create_table(uri: Location, schema: pa.Schema) -> None:
    """Create an empty table unless there is one."""
    if open_table(uri) is None:
        _make_parent(uri)
        DeltaTable.create(
            address(uri), schema, mode="ignore", configuration=_configuration(uri), storage_options=options(uri)
        )


def append_rows(uri: Location, rows: Rows, notes: Notes) -> int:
    """Append rows and notes in one transaction; return the new version."""
    return _write(uri, rows, notes, mode="append")


def replace_rows(uri: Location, rows: Rows, notes: Notes, where: str | None = None) -> int:
    """Replace all rows, or those of a predicate that the new rows fulfil, in one commit; return the new version."""
    return _write(uri, rows, notes, mode="overwrite", predicate=where)


def rewrite_table(uri: Location, rows: Rows, notes: Notes) -> int:
    """Replace all rows, and the schema by theirs, in one commit; return the new version."""
    return _write(uri, rows, notes, mode="overwrite", schema_mode="overwrite")


def commit_notes(uri: Location, notes: Notes, schema: pa.Schema) -> int:
    """Commit notes without rows, to a table that exists or is created; return the new version."""
    create_table(uri, schema)
    return append_rows(uri, schema.empty_table(), notes)


def note_properties(uri: Location, notes: Notes) -> CommitProperties:
    """Commit properties that carry notes.

    In a bucket a commit that another writer was faster than is not tried again: one of both has lost the home's lease.
    """
    retries = None if isinstance(uri, Path) else 0
    metadata = {NOTES: json.dumps(notes, sort_keys=True), COMMIT: uuid4().hex}
    return CommitProperties(custom_metadata=metadata, max_commit_retries=retries)


def address(uri: Location) -> str | Path:
    """Return a table's address as delta-rs takes it: the path, or the encoded URL."""
    return uri if isinstance(uri, Path) else uri.url


def options(uri: Location) -> dict[str, str] | None:
    """Return what delta-rs needs to reach a table."""
    return None if isinstance(uri, Path) else delta_options(uri)


def _configuration(uri: Location) -> dict[str, str | None]:
    """Return the properties of a table that is created."""
    return CONFIGURATION if isinstance(uri, Path) else CONFIGURATION | IN_A_BUCKET


def _make_parent(uri: Location) -> None:
    if isinstance(uri, Path):
        uri.parent.mkdir(parents=True, exist_ok=True)


def _opened_or_created(uri: BucketPath, schema: pa.Schema) -> DeltaTable:
    """Open a table of a bucket; a new one is created empty first, so that there is a version to fence."""
    table = open_table(uri)
    if table is None:
        check_held(uri)
        create_table(uri, schema)
        table = open_table(uri)
    assert table is not None
    return table


def _write(uri: Location, rows: Rows, notes: Notes, **how: Any) -> int:
    _make_parent(uri)
    table = None if isinstance(uri, Path) else _opened_or_created(uri, rows.schema)
    properties = note_properties(uri, notes)
    check_held(uri)
    try:
        write_deltalake(
            table or address(uri),
            rows,
            storage_options=options(uri),
            commit_properties=properties,
            writer_properties=WriterProperties(compression="SNAPPY"),
            configuration=_configuration(uri),
            post_commithook_properties=KEEP_HISTORY,
            **how,
        )
    except (DeltaError, OSError) as error:
        if table is not None and _is_committed(uri, table.version() + 1, properties):
            return table.version() + 1
        reasons = (
            "free disk space and permissions" if isinstance(uri, Path) else "another run's commit and a full store"
        )
        raise SourceError(
            f"{uri}: rows could not be written ({error}); {reasons} are the usual reasons, and the table is as it was"
        ) from error
    version = table.version() if table is not None else table_version(uri)
    assert version is not None
    return version


def _is_committed(uri: Location, version: int, properties: CommitProperties) -> bool:
    """Say whether a version is the commit that an error was raised for: the store made it, and its answer was lost.

    False too if the store cannot be read, so that the commit's own error is the one that is raised.
    """
    with suppress(RankloopError):
        return _commit_metadata(uri / LOG / f"{version:020}.json", COMMIT) == (properties.custom_metadata or {})[COMMIT]
    return False


def noted_version(uri: Location, fits: Callable[[Notes], bool]) -> int | None:
    """Return the newest version of a table whose own notes fit; None if there is none."""
    return next((version for version, notes in noted_commits(uri) if fits(notes)), None)


def restore_version(uri: Location, version: int) -> None:
    """Restore a table's version; later versions stay readable.

    Raises:
        SourceError: files of that version are gone, or nothing can be written.
    """
    table = open_table(uri)
    assert table is not None
    properties = note_properties(uri, read_notes(uri, version))
    check_held(uri)
    try:
        table.restore(version, commit_properties=properties, post_commithook_properties=KEEP_HISTORY)
    except (DeltaError, OSError) as error:
        raise SourceError(
            f"{uri}: version {version} could not be restored ({error}); free disk space and permissions are the usual "
            "reasons, and the table is as it was"
        ) from error
