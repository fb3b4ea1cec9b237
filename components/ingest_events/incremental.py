"""Incremental reading: raw tables that only grow, events and impressions, get each row of their sources once.

A row's identity is a hash of its mapped content and, for rows that are equal, which occurrence within its file it is:
true duplicates stay apart, a row that is read again (a grown file, a file delivered twice, a cursor's last value) is
the same row. The rows and the source's offsets are one commit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb

from components.contracts.steps.facts import SourceFacts
from components.contracts.tables import RAW
from components.home.storage.locations import Location
from components.home.tombstones import Tombstones
from components.ingest_events.files.relations import unreadable
from components.ingest_events.forgotten import leave_out_forgotten
from components.ingest_events.mapping.columns import FILE, Mapping, SourceColumns, row_identity
from components.ingest_events.offsets import Offsets
from components.ingest_events.reader import SourceReader, Staged
from components.lake.session import CountedRows, delta_relation, quote_identifier, quote_literal
from components.lake.tables import Notes, append_rows, read_notes, replace_rows

# Staged rows with the number of their occurrence: within a file; of rows that several files hold, those of one.
NUMBERED = f"""
    SELECT * EXCLUDE (row_id), row_id, 1 AS occurrence
    FROM staged
    ANTI JOIN equal USING (row_id)
    UNION ALL BY NAME
    SELECT *
    FROM (
        SELECT *, row_number() OVER (PARTITION BY row_id, {FILE}) AS occurrence
        FROM staged
        SEMI JOIN equal USING (row_id)
    )
    QUALIFY row_number() OVER (PARTITION BY row_id, occurrence ORDER BY {FILE}) = 1
    """
IDENTIFIED = f"""
    SELECT * REPLACE (CASE WHEN occurrence > 1 THEN row_id || '-' || occurrence ELSE row_id END AS row_id)
    FROM ({NUMBERED})
    """


@dataclass(frozen=True)
class IncrementalSource:
    """A source of rows for a table that only grows."""

    table: str  # events or impressions
    name: str  # in the rows that come of it
    label: str  # among the facts
    reader: SourceReader
    settings: str
    map_columns: Callable[[SourceColumns], Mapping]


def append_new_rows(
    session: duckdb.DuckDBPyConnection, uri: Location, source: IncrementalSource, now: datetime, forgotten: Tombstones
) -> SourceFacts:
    """Read what is new of a source and append it to its raw table, with the offsets, in one commit."""
    notes = incremental_notes(uri)
    written = notes["sources"].get(source.name)
    known = None if written is None else Offsets.from_notes(written)
    is_rebuilt = known is not None and known.settings != source.settings
    before = Offsets(source.settings) if known is None or is_rebuilt else known
    staged = source.reader.stage(session, before, source.map_columns, whole=False)
    if not staged.layouts:
        return SourceFacts(unmapped=before.unmapped, left_out=staged.left_out)
    mappings = _map_rows(session, source, staged)
    facts = _facts(_count(session) - leave_out_forgotten(session, "staged", forgotten), before, staged, mappings)
    after = replace(staged.after, unmapped=facts.unmapped)
    batch = notes["batch"] + 1
    said = {"batch": str(batch), "source": quote_literal(source.name)} | _ingested_at(mappings[0], now)
    new_rows = _new_rows_sql(session, source, said, None if before is not known else uri)
    if after == known and not session.sql(f"{new_rows} LIMIT 1").fetchall():
        return replace(facts, rows_repeated=facts.rows_read)
    rows = CountedRows(session, new_rows, RAW[source.table])
    sources = notes["sources"] | {source.name: after.as_notes()}
    noted: Notes = {"batch": batch, "generation": notes["generation"] + is_rebuilt, "sources": sources}
    if is_rebuilt:
        replace_rows(uri, rows.reader, noted, where=f"source = {quote_literal(source.name)}")
    else:
        append_rows(uri, rows.reader, noted)
    return replace(facts, rows_new=rows.count, rows_repeated=facts.rows_read - rows.count)


def incremental_notes(uri: Location) -> Notes:
    """Return the notes of a raw table that grows: batch, generation, and the offsets of each source."""
    return read_notes(uri) or {"batch": 0, "generation": 0, "sources": {}}


def _map_rows(session: duckdb.DuckDBPyConnection, source: IncrementalSource, staged: Staged) -> list[Mapping]:
    """Map the layouts into the temporary table ``staged``, one after the other."""
    cursor = "NULL" if staged.cursor is None else quote_identifier(staged.cursor)
    into = "CREATE OR REPLACE TEMP TABLE staged AS"
    mappings = []
    for layout in staged.layouts:
        mapping = source.map_columns(layout.columns)
        if mapping.row_id is None:
            rows = mapping.select(layout.relation, [FILE, f"{cursor} AS __cursor"])
            rows = f"SELECT *, {_content_identity(mapping)} AS row_id FROM ({rows})"
        else:
            rows = mapping.select(layout.relation, [FILE, f"{mapping.row_id} AS row_id"])
        try:
            session.execute(f"{into} {rows}")
        except duckdb.Error as error:
            raise unreadable(f"{source.table}.{source.name}", error) from error
        into = "INSERT INTO staged BY NAME"
        mappings.append(mapping)
    return mappings


def _content_identity(mapping: Mapping) -> str:
    cells = ["epoch_us(event_time)" if cell == "event_time" else cell for cell in mapping.readings]
    return row_identity(f"coalesce(CAST({cell} AS VARCHAR), chr(30))" for cell in [*cells, "found", "__cursor"])


def _count(session: duckdb.DuckDBPyConnection) -> int:
    return int(session.execute("SELECT count(*) FROM staged").fetchall()[0][0])


def _ingested_at(mapping: Mapping, now: datetime) -> dict[str, str]:
    """Return SQL of when rows were ingested, unless they say it."""
    return {} if "ingested_at" in mapping.readings else {"ingested_at": f"TIMESTAMPTZ {quote_literal(now.isoformat())}"}


def _new_rows_sql(
    session: duckdb.DuckDBPyConnection, source: IncrementalSource, said: dict[str, str], uri: Location | None
) -> str:
    """Return SQL of the staged rows in the raw table's schema, without those that the table at ``uri`` has.

    Args:
        said: SQL of columns that the source does not say.
    """
    session.execute("""
        CREATE OR REPLACE TEMP TABLE equal AS
        SELECT row_id FROM staged GROUP BY row_id HAVING count(*) > 1
        """)
    schema = RAW[source.table]
    columns = ", ".join(
        f"{said.get(name, quote_identifier(name))} AS {quote_identifier(name)}" for name in schema.names
    )
    if uri is None:
        return f"SELECT {columns} FROM ({IDENTIFIED})"
    return f"""
        SELECT {columns}
        FROM ({IDENTIFIED})
        ANTI JOIN (
            SELECT row_id FROM {delta_relation(uri, schema)} WHERE source = {quote_literal(source.name)}
        ) USING (row_id)
        """


def _facts(rows: int, before: Offsets, staged: Staged, mappings: Sequence[Mapping]) -> SourceFacts:
    columns = staged.after.columns
    return SourceFacts(
        rows_read=rows,
        files_read=staged.files_read,
        unmapped=tuple(column for column in columns if column not in mappings[0].columns),
        new_columns=tuple(column for column in columns if before.columns and column not in before.columns),
        times=tuple(dict.fromkeys(time for mapping in mappings for time in mapping.times)),
        left_out=staged.left_out,
    )
