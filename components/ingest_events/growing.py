"""Raw tables that only grow: events and impressions, each row once, whatever is read again.

A row's identity is a hash of its mapped content and, for rows that are equal, which occurrence within its file it is:
true duplicates stay apart, a row that is read again (a grown file, a file delivered twice, a cursor's last value) is
the same row. The rows and the source's offsets are one commit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from components.contracts.errors import SourceError
from components.contracts.tables import RAW
from components.home.tombstones import Tombstones
from components.ingest_events.databases.cursors import read_cursor, window_start, write_cursor
from components.ingest_events.databases.sql_tables import DatabaseTable, open_database
from components.ingest_events.files.locations import source_files
from components.ingest_events.files.relations import FileReader, refuse_nothing, unreadable
from components.ingest_events.forgotten import leave_out_forgotten
from components.ingest_events.mapping.columns import FILE, Mapping, SourceColumns
from components.ingest_events.offsets import Offsets
from components.lake.rows import CountedRows
from components.lake.session import delta_relation, name, text
from components.lake.tables import Notes, append_rows, read_notes, replace_rows
from components.shop.settings import Source

IDENTITY_LETTERS = 20  # of a hexadecimal md5: 80 bits


@dataclass(frozen=True)
class GrowingSource:
    """A source of rows for a table that only grows."""

    table: str  # events or impressions
    name: str
    source: Source
    settings: str
    map_columns: Callable[[SourceColumns], Mapping]


@dataclass(frozen=True)
class SourceFacts:
    """What came of reading one source."""

    rows_read: int = 0
    rows_new: int = 0
    rows_repeated: int = 0
    files_read: int = 0
    unmapped: tuple[str, ...] = ()
    new_columns: tuple[str, ...] = ()
    times: tuple[str, ...] = ()  # how its time columns were read, in words
    left_out: dict[str, str] = field(default_factory=dict)  # files beside the data, each with the reason


def grow_table(
    session: duckdb.DuckDBPyConnection,
    uri: Path,
    grower: GrowingSource,
    zone: ZoneInfo,
    now: datetime,
    forgotten: Tombstones,
) -> SourceFacts:
    """Read what is new of a source and append it to its raw table, with the offsets, in one commit."""
    notes = growth_notes(uri)
    written = notes["sources"].get(grower.name)
    known = Offsets.from_notes(written) if written else None
    afresh = known is None or known.settings != grower.settings
    before = Offsets(settings=grower.settings) if afresh or known is None else known
    where = f"{grower.table}.{grower.name}"
    if grower.source.kind == "sql":
        staged = _stage_table(session, where, grower, before, zone)
    else:
        staged = _stage_files(session, where, grower, before, zone)
    if staged.after is None:
        return replace(staged.facts, unmapped=before.unmapped)
    read = staged.facts.rows_read - leave_out_forgotten(session, "staged", forgotten)
    facts = replace(staged.facts, rows_read=read)
    batch = notes["batch"] + 1
    new_rows = _new_rows_sql(session, uri, grower, batch, now, anew=afresh)
    if staged.after == known and not session.sql(f"{new_rows} LIMIT 1").fetchall():
        return replace(facts, rows_repeated=read)
    rows = CountedRows(session, new_rows, RAW[grower.table])
    after: Notes = {
        "batch": batch,
        "generation": notes["generation"] + (afresh and known is not None),
        "sources": notes["sources"] | {grower.name: staged.after.as_notes()},
    }
    if afresh and known is not None:
        replace_rows(uri, rows.reader, after, where=f"source = {text(grower.name)}")
    else:
        append_rows(uri, rows.reader, after)
    return replace(facts, rows_new=rows.count, rows_repeated=read - rows.count)


def growth_notes(uri: Path) -> Notes:
    """The notes of a raw table that grows: batch, generation, and the offsets of each source."""
    return read_notes(uri) or {"batch": 0, "generation": 0, "sources": {}}


@dataclass(frozen=True)
class _Staged:
    after: Offsets | None  # None: nothing is new
    facts: SourceFacts


def _stage_files(
    session: duckdb.DuckDBPyConnection, where: str, grower: GrowingSource, before: Offsets, zone: ZoneInfo
) -> _Staged:
    files = source_files(where, grower.source)
    unread, after = before.unread(files.data)
    if grower.source.kind == "delta" and unread:  # its files are rewritten: what a row is, the whole table says
        unread, after = files.data, replace(after, files={file.key: after.files[file.key] for file in files.data})
    reader = FileReader(session, where, grower.source, zone)
    relations = reader.relations(unread, grower.map_columns)
    left_out = files.left_out | relations.left_out
    if not relations.layouts:
        if not before.files:
            refuse_nothing(where, left_out)
        return _Staged(None, SourceFacts(left_out=left_out))
    mappings = [(grower.map_columns(layout.columns), layout.relation) for layout in relations.layouts]
    rows = _stage(session, where, mappings, cursor=None)
    facts = _facts(rows, len(unread), before, relations.columns, [mapping for mapping, _ in mappings])
    after = replace(after, columns=relations.columns, unmapped=facts.unmapped)
    return _Staged(after, replace(facts, left_out=left_out))


def _stage_table(
    session: duckdb.DuckDBPyConnection, where: str, grower: GrowingSource, before: Offsets, zone: ZoneInfo
) -> _Staged:
    with open_database(where, grower.source) as database:
        kinds = database.columns()
        mapping = grower.map_columns(SourceColumns(where, kinds, grower.source, zone))
        since = read_cursor(before.cursor) if before.cursor else None
        newest = database.newest() if grower.source.cursor else None
        if since is not None:
            _refuse_backwards(where, grower.source, since, newest)
        below = None if newest is None else database.count_below(window_start(newest))
        relation = database.fetch(session, mapping.columns, _read_from(database, since, before.below))
    rows = _stage(session, where, [(mapping, relation)], cursor=grower.source.cursor)
    cursor = before.cursor if newest is None else write_cursor(newest)
    facts = _facts(rows, 0, before, tuple(kinds), [mapping])
    return _Staged(replace(before, cursor=cursor, below=below, columns=tuple(kinds), unmapped=facts.unmapped), facts)


def _read_from(database: DatabaseTable, since: Any, below: int | None) -> Any:
    """The cursor value to read from; None, the whole table, where rows have arrived below what would be read again."""
    if since is None or below is None:
        return None
    start = window_start(since)
    return None if database.count_below(start) > below else start


def _refuse_backwards(where: str, source: Source, since: object, newest: object) -> None:
    if newest is None or newest < since:  # type: ignore[operator]  # both are values of one column
        raise SourceError(
            f"{where}: found {source.cursor} = {newest} as the newest row of {source.table}, but rows up to {since} "
            "were read before; the table was restored or truncated: correct it, or start a new home"
        )


def _stage(
    session: duckdb.DuckDBPyConnection,
    where: str,
    mappings: Sequence[tuple[Mapping, str]],
    cursor: str | None,
) -> int:
    """Map relations into the temporary table ``staged``, one after the other; return its rows."""
    keep = [FILE, f"{name(cursor)} AS __cursor" if cursor else "NULL AS __cursor"]
    into = "CREATE OR REPLACE TEMP TABLE staged AS"
    for mapping, relation in mappings:
        cells = [*mapping.readings, "found", "__cursor"]
        content = ", ".join(f"coalesce(CAST({_hashable(cell)} AS VARCHAR), chr(30))" for cell in cells)
        identity = f"left(md5(concat_ws(chr(31), {content})), {IDENTITY_LETTERS})"
        try:
            session.execute(f"{into} SELECT *, {identity} AS row_id FROM ({mapping.select(relation, keep)})")
        except duckdb.Error as error:
            raise unreadable(where, error) from error
        into = "INSERT INTO staged BY NAME"
    return int(session.execute("SELECT count(*) FROM staged").fetchall()[0][0])


def _hashable(cell: str) -> str:
    return "epoch_us(event_time)" if cell == "event_time" else cell


def _new_rows_sql(
    session: duckdb.DuckDBPyConnection, uri: Path, grower: GrowingSource, batch: int, now: datetime, anew: bool
) -> str:
    """SQL of the staged rows that the raw table lacks, in its schema."""
    schema = RAW[grower.table]
    session.execute(
        "CREATE OR REPLACE TEMP TABLE equal AS SELECT row_id FROM staged GROUP BY row_id HAVING count(*) > 1"
    )
    extra = f"{batch} AS batch, {text(grower.name)} AS source, TIMESTAMPTZ {text(now.isoformat())} AS ingested_at"
    numbered = (
        f"SELECT * EXCLUDE (row_id), row_id, 1 AS occurrence FROM staged ANTI JOIN equal USING (row_id) "
        "UNION ALL BY NAME "
        f"SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY row_id, {FILE}) AS occurrence "
        f"FROM staged SEMI JOIN equal USING (row_id)) "
        f"QUALIFY row_number() OVER (PARTITION BY row_id, occurrence ORDER BY {FILE}) = 1"
    )
    identified = (
        "SELECT * REPLACE (CASE WHEN occurrence > 1 THEN row_id || '-' || occurrence ELSE row_id END AS row_id), "
        f"{extra} FROM ({numbered})"
    )
    columns = ", ".join(name(column) for column in schema.names)
    if anew:
        return f"SELECT {columns} FROM ({identified})"
    known = f"(SELECT row_id FROM {delta_relation(uri, schema)} WHERE source = {text(grower.name)})"
    return f"SELECT {columns} FROM ({identified}) ANTI JOIN {known} USING (row_id)"


def _facts(
    rows: int, files: int, before: Offsets, columns: tuple[str, ...], mappings: Sequence[Mapping]
) -> SourceFacts:
    unmapped = tuple(column for column in columns if column not in mappings[0].columns)
    new = tuple(column for column in columns if column not in before.columns) if before.columns else ()
    times = tuple(dict.fromkeys(time for mapping in mappings for time in mapping.times))
    return SourceFacts(rows_read=rows, files_read=files, unmapped=unmapped, new_columns=new, times=times)
