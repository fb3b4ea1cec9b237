"""Raw tables that are replaced as a whole when their source's content changes: items, users and promotions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from components.contracts.tables import RAW
from components.home.tombstones import Tombstones
from components.ingest_events.databases.sql_tables import open_database
from components.ingest_events.files.locations import source_files
from components.ingest_events.files.relations import FileReader, Layout, refuse_nothing, united, unreadable
from components.ingest_events.forgotten import leave_out_forgotten
from components.ingest_events.growing import SourceFacts
from components.ingest_events.mapping.columns import SourceColumns
from components.ingest_events.offsets import Offsets
from components.lake.rows import CountedRows
from components.lake.session import name
from components.lake.tables import commit_notes, read_notes, rewrite_table
from components.shop.settings import Source


@dataclass(frozen=True)
class SnapshotSource:
    """A source whose rows stand for the whole table; ``select`` gives the mapped rows of a relation.

    With ``of_all_rows`` a mapped row depends on others, so that all files are one relation, and one that is read again.
    """

    table: str
    source: Source
    settings: str
    select: Callable[[SourceColumns, str], str]
    of_all_rows: bool = False


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
    unread, after = before.unread(files.data)
    gone = set(before.files) - {file.key for file in files.data}
    if not unread and not gone:
        return SourceFacts(unmapped=before.unmapped, left_out=files.left_out)
    after = replace(after, files={file.key: after.files[file.key] for file in files.data})
    reader = FileReader(session, snapshot.table, snapshot.source, zone)
    relations = reader.relations(files.data, lambda columns: snapshot.select(columns, "nothing"))
    left_out = files.left_out | relations.left_out
    if not relations.layouts:
        refuse_nothing(snapshot.table, left_out)
    layouts = [united(session, relations.layouts)] if snapshot.of_all_rows else relations.layouts
    facts = _replace(session, uri, snapshot, before, replace(after, columns=relations.columns), layouts, forgotten)
    return replace(facts, files_read=len(files.data), left_out=left_out)


def _replace_from_database(
    session: duckdb.DuckDBPyConnection,
    uri: Path,
    snapshot: SnapshotSource,
    before: Offsets,
    zone: ZoneInfo,
    forgotten: Tombstones,
) -> SourceFacts:
    with open_database(snapshot.table, snapshot.source) as database:
        columns = SourceColumns(snapshot.table, database.columns(), snapshot.source, zone)
        snapshot.select(columns, "nothing")
        relation = database.fetch(session, list(columns.used), since=None)
    after = replace(before, columns=tuple(columns.kinds))
    return _replace(session, uri, snapshot, before, after, [Layout(columns, relation)], forgotten)


def _replace(
    session: duckdb.DuckDBPyConnection,
    uri: Path,
    snapshot: SnapshotSource,
    before: Offsets,
    after: Offsets,
    layouts: Sequence[Layout],
    forgotten: Tombstones,
) -> SourceFacts:
    schema = RAW[snapshot.table]
    _map(session, snapshot, layouts)
    if "user_id" in schema.names:
        leave_out_forgotten(session, "mapped", forgotten)
    digest = "SELECT count(*), CAST(sum(hash(mapped)) AS VARCHAR) FROM mapped"
    rows, content = session.execute(digest).fetchall()[0]
    unmapped = tuple(column for column in after.columns if column not in layouts[0].columns.used)
    after = replace(after, content=f"{rows}:{content}", unmapped=unmapped)
    facts = SourceFacts(
        rows_read=rows,
        unmapped=unmapped,
        times=tuple(dict.fromkeys(time for layout in layouts for time in layout.columns.times)),
        new_columns=tuple(column for column in after.columns if before.columns and column not in before.columns),
    )
    if before.content == after.content:
        if after != before:
            commit_notes(uri, after.as_notes(), schema)
        return facts
    stream = CountedRows(session, "FROM mapped", schema)
    rewrite_table(uri, stream.reader, after.as_notes())
    return replace(facts, rows_new=stream.count)


def _map(session: duckdb.DuckDBPyConnection, snapshot: SnapshotSource, layouts: Sequence[Layout]) -> None:
    """Map the rows of all layouts into the temporary table ``mapped``."""
    listed = ", ".join(name(column) for column in RAW[snapshot.table].names)
    into = "CREATE OR REPLACE TEMP TABLE mapped AS"
    for layout in layouts:
        try:
            session.execute(f"{into} SELECT {listed} FROM ({snapshot.select(layout.columns, layout.relation)})")
        except duckdb.Error as error:
            raise unreadable(snapshot.table, error) from error
        into = "INSERT INTO mapped"
