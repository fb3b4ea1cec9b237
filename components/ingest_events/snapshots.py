"""Raw tables that are replaced as a whole when their source's content changes: items, users and promotions."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from components.contracts.shop import Source
from components.contracts.tables import RAW
from components.contracts.tombstones import Tombstones
from components.ingest_events.databases import open_database
from components.ingest_events.files import files_relation, relation_columns, unreadable
from components.ingest_events.forgotten import leave_out_forgotten
from components.ingest_events.growing import SourceFacts
from components.ingest_events.instants import with_instants
from components.ingest_events.locations import source_files
from components.ingest_events.mapping import SourceColumns
from components.ingest_events.offsets import Offsets
from components.lake.rows import CountedRows
from components.lake.session import name
from components.lake.tables import commit_notes, read_notes, rewrite_table


@dataclass(frozen=True)
class SnapshotSource:
    """A source whose rows stand for the whole table; ``select`` gives the mapped rows of a relation."""

    table: str
    source: Source
    settings: str
    select: Callable[[SourceColumns, str], str]


def replace_table(
    session: duckdb.DuckDBPyConnection, uri: Path, snapshot: SnapshotSource, zone: ZoneInfo, forgotten: Tombstones
) -> SourceFacts:
    """Replace a raw table by its source's rows if they differ from what was read last."""
    notes = read_notes(uri)
    known = Offsets.from_notes(notes) if notes and notes["settings"] == snapshot.settings else None
    before = known or Offsets(settings=snapshot.settings)
    if snapshot.source.kind == "sql":
        return _replace_from_database(session, uri, snapshot, before, zone, forgotten)
    files = source_files(snapshot.table, snapshot.source)
    unread, after = before.unread(files)
    gone = set(before.files) - {file.key for file in files}
    if not unread and not gone:
        return SourceFacts(unmapped=before.unmapped)
    after = replace(after, files={file.key: after.files[file.key] for file in files})
    relation = files_relation(snapshot.source, [file.path for file in files])
    paths = [file.path for file in files]
    kinds = with_instants(snapshot.source, paths, relation_columns(session, snapshot.table, relation))
    columns = SourceColumns(snapshot.table, kinds, snapshot.source.time_format, zone)
    facts = _replace(session, uri, snapshot, after, columns, relation, forgotten)
    return replace(facts, files_read=len(files))


def _replace_from_database(
    session: duckdb.DuckDBPyConnection,
    uri: Path,
    snapshot: SnapshotSource,
    before: Offsets,
    zone: ZoneInfo,
    forgotten: Tombstones,
) -> SourceFacts:
    with open_database(snapshot.table, snapshot.source) as database:
        columns = SourceColumns(snapshot.table, database.columns(), snapshot.source.time_format, zone)
        snapshot.select(columns, "nothing")
        relation = database.fetch(session, list(columns.used), since=None)
    return _replace(session, uri, snapshot, before, columns, relation, forgotten)


def _replace(
    session: duckdb.DuckDBPyConnection,
    uri: Path,
    snapshot: SnapshotSource,
    before: Offsets,
    columns: SourceColumns,
    relation: str,
    forgotten: Tombstones,
) -> SourceFacts:
    schema = RAW[snapshot.table]
    listed = ", ".join(name(column) for column in schema.names)
    mapped = f"SELECT {listed} FROM ({snapshot.select(columns, relation)})"
    try:
        session.execute(f"CREATE OR REPLACE TEMP TABLE mapped AS {mapped}")
    except duckdb.Error as error:
        raise unreadable(snapshot.table, error) from error
    if "user_id" in schema.names:
        leave_out_forgotten(session, "mapped", forgotten)
    digest = "SELECT count(*), CAST(sum(hash(mapped)) AS VARCHAR) FROM mapped"
    rows, content = session.execute(digest).fetchall()[0]
    unmapped = tuple(column for column in columns.kinds if column not in columns.used)
    after = replace(before, content=f"{rows}:{content}", columns=tuple(columns.kinds), unmapped=unmapped)
    facts = SourceFacts(
        rows_read=rows,
        unmapped=unmapped,
        times=tuple(columns.times),
        new_columns=tuple(column for column in columns.kinds if before.columns and column not in before.columns),
    )
    if before.content == after.content:
        if after != before:
            commit_notes(uri, after.as_notes(), schema)
        return facts
    stream = CountedRows(session, "FROM mapped", schema)
    rewrite_table(uri, stream.reader, after.as_notes())
    return replace(facts, rows_new=stream.count)
