"""Full refresh: raw tables that are replaced as a whole when their source's content changes.

These are items, users and promotions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import duckdb

from components.contracts.steps.facts import SourceFacts
from components.contracts.tables import RAW
from components.home.storage.locations import Location
from components.home.tombstones import Tombstones
from components.ingest_events.content_digest import content_digest
from components.ingest_events.files.relations import united, unreadable
from components.ingest_events.forgotten import leave_out_forgotten
from components.ingest_events.mapping.columns import Layout, SourceColumns
from components.ingest_events.offsets import Offsets
from components.ingest_events.reader import SourceReader
from components.lake.session import CountedRows, quote_identifier
from components.lake.tables import commit_notes, read_notes, rewrite_table


@dataclass(frozen=True)
class FullRefreshSource:
    """A source whose rows stand for the whole table; ``select`` gives the mapped rows of a relation.

    With ``of_all_rows`` a mapped row depends on others, so that all files are one relation, and one that is read again.
    """

    table: str
    reader: SourceReader
    settings: str
    select: Callable[[SourceColumns, str], str]
    of_all_rows: bool = False


def refresh_table(
    session: duckdb.DuckDBPyConnection, uri: Location, source: FullRefreshSource, forgotten: Tombstones
) -> SourceFacts:
    """Replace a raw table by its source's rows if they differ from what was read last."""
    schema, notes = RAW[source.table], read_notes(uri)
    is_known = bool(notes) and notes["settings"] == source.settings
    before = Offsets.from_notes(notes) if is_known else Offsets(source.settings)
    staged = source.reader.stage(session, before, lambda columns: source.select(columns, "nothing"), whole=True)
    if not staged.layouts:
        return SourceFacts(unmapped=before.unmapped, left_out=staged.left_out)
    layouts = [united(session, staged.layouts)] if source.of_all_rows else staged.layouts
    _map_rows(session, source, layouts)
    if "user_id" in schema.names:
        leave_out_forgotten(session, "mapped", forgotten)
    rows, content = content_digest(session, "mapped", schema)
    unmapped = tuple(column for column in staged.after.columns if column not in layouts[0].columns.used)
    after = replace(staged.after, content=content, unmapped=unmapped)
    facts = SourceFacts(
        rows_read=rows,
        files_read=staged.files_read,
        unmapped=unmapped,
        times=tuple(dict.fromkeys(time for layout in layouts for time in layout.columns.times)),
        new_columns=tuple(column for column in after.columns if before.columns and column not in before.columns),
        left_out=staged.left_out,
    )
    if before.content == after.content:
        if after != before:
            commit_notes(uri, after.as_notes(), schema)
        return facts
    stream = CountedRows(session, "FROM mapped", schema)
    rewrite_table(uri, stream.reader, after.as_notes())
    return replace(facts, rows_new=stream.count)


def _map_rows(session: duckdb.DuckDBPyConnection, source: FullRefreshSource, layouts: Sequence[Layout]) -> None:
    """Map the rows of all layouts into the temporary table ``mapped``."""
    listed = ", ".join(quote_identifier(column) for column in RAW[source.table].names)
    into = "CREATE OR REPLACE TEMP TABLE mapped AS"
    for layout in layouts:
        try:
            session.execute(f"{into} SELECT {listed} FROM ({source.select(layout.columns, layout.relation)})")
        except duckdb.Error as error:
            raise unreadable(source.table, error) from error
        into = "INSERT INTO mapped"
