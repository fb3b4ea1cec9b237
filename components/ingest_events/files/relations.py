"""Files of one source as relations of the engine: each file is mapped by itself, then the rows are united."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn
from zoneinfo import ZoneInfo

import duckdb

from components.contracts.errors import SourceError
from components.ingest_events.files.csv_dialect import CsvFile, open_csv, refuse_repeated_names
from components.ingest_events.files.csv_rows import csv_rows
from components.ingest_events.files.locations import EMPTY
from components.ingest_events.files.source_file import SourceFile
from components.ingest_events.mapping.columns import FILE, Ask, Layout, SourceColumns
from components.ingest_events.mapping.instants import with_instants
from components.ingest_events.mapping.times import INT96
from components.lake.session import exhausted, is_exhausted, path_text, quote_identifier, quote_literal
from components.shop.sources import FileSource

CSV_ROWS = "csv_rows"


@dataclass(frozen=True)
class Relations:
    """The content of files: their rows by layout, the columns of all of them, and the empty files."""

    layouts: tuple[Layout, ...] = ()
    columns: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FileRelations:
    """Opens files of one source; ``where`` names it in errors."""

    session: duckdb.DuckDBPyConnection
    where: str
    source: FileSource
    zone: ZoneInfo

    def relations(self, files: Sequence[SourceFile], ask: Ask) -> Relations:
        """Map each file by itself, and open those that are mapped alike together; CSV rows can be read once.

        Raises:
            SourceError: a file cannot be read as what the shop file says it is, or lacks a mapped column.
        """
        if not files:
            return Relations()
        return self._csv(files, ask) if self.source.kind == "csv" else self._parquet(files, ask)

    def _csv(self, files: Sequence[SourceFile], ask: Ask) -> Relations:
        opened = {file.key: open_csv(self.where, file, self.source) for file in files}
        filled = [file for file in opened.values() if file is not None]
        left_out = {key: EMPTY for key, file in opened.items() if file is None}
        if not filled:
            return Relations(left_out=left_out)
        asked = {file.columns: self._csv_columns(file) for file in filled}
        for columns in asked.values():
            ask(columns)
        for file in filled:
            refuse_repeated_names(self.where, file, asked[file.columns].used)
        columns = asked[filled[0].columns]
        self.session.register(CSV_ROWS, csv_rows(filled, list(columns.used)))
        return Relations((Layout(columns, CSV_ROWS),), _all_columns(asked.values()), left_out)

    def _csv_columns(self, file: CsvFile) -> SourceColumns:
        kinds = dict.fromkeys(file.columns, "VARCHAR")
        return SourceColumns(self.where, kinds, self.source, self.zone, file.file.key, has_row_problems=True)

    def _parquet(self, files: Sequence[SourceFile], ask: Ask) -> Relations:
        alike: dict[frozenset[tuple[str, str]], list[SourceFile]] = {}
        asked: dict[frozenset[tuple[str, str]], SourceColumns] = {}
        for file in files:
            kinds = relation_columns(self.session, self.where, _parquet_relation([file]))
            kinds = with_instants(self.source, [file.path], kinds)
            alike.setdefault(frozenset(kinds.items()), []).append(file)
            columns = SourceColumns(self.where, kinds, self.source, self.zone, file.key)
            asked.setdefault(frozenset(kinds.items()), columns)
        for columns in asked.values():
            ask(columns)
        layouts = (Layout(asked[kinds], _parquet_relation(group)) for kinds, group in alike.items())
        return Relations(tuple(layouts), _all_columns(asked.values()))


def _all_columns(columns: Iterable[SourceColumns]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column for each in columns for column in each.kinds))


def _parquet_relation(files: Sequence[SourceFile]) -> str:
    listed = ", ".join(path_text(file.path) for file in files)
    file = quote_literal(FILE)
    return f"read_parquet([{listed}], union_by_name = true, hive_types_autocast = false, filename = {file})"


def refuse_nothing(where: str, left_out: Mapping[str, str]) -> NoReturn:
    """Refuse a source none of whose files holds as much as the names of its columns."""
    empty = next((f" ({key} is empty)" for key, reason in left_out.items() if reason == EMPTY), "")
    raise SourceError(f"{where}: found nothing to read{empty}, expected rows, or a header at least; export it again")


def united(session: duckdb.DuckDBPyConnection, layouts: Sequence[Layout]) -> Layout:
    """Bring all rows into one relation that can be read more than once; as text, where types differ."""
    first = layouts[0]
    if len(layouts) > 1:
        every = " UNION ALL ".join(f"SELECT {_as_text(layout.columns)} FROM {layout.relation}" for layout in layouts)
        return Layout(first.columns.as_text(), f"({every})")
    if first.relation == CSV_ROWS:
        session.execute(f"CREATE OR REPLACE TEMP TABLE csv_cells AS FROM {CSV_ROWS}")
        return Layout(first.columns, "csv_cells")
    return first


def _as_text(columns: SourceColumns) -> str:
    """Return SQL of the used columns as text; instants keep their zone."""
    return ", ".join(_cell_as_text(quote_identifier(column), columns.kinds[column]) for column in sorted(columns.used))


def _cell_as_text(column: str, kind: str) -> str:
    cell = f"timezone('UTC', {column})" if kind == INT96 else column
    return f"CAST({cell} AS VARCHAR) AS {column}"


def relation_columns(session: duckdb.DuckDBPyConnection, where: str, relation: str) -> dict[str, str]:
    """Return the columns of a relation and their DuckDB types.

    Raises:
        SourceError: the files cannot be read as what the shop file says they are.
    """
    try:
        described = session.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    except duckdb.Error as error:
        raise unreadable(where, error) from error
    return {column: kind for column, kind, *_ in described if column != FILE}


def unreadable(where: str, error: duckdb.Error) -> SourceError:
    """Return an error of the engine as one line about the source."""
    if is_exhausted(error):
        return exhausted(error)
    return SourceError(
        f"{where}: found data that cannot be read ({str(error).strip().splitlines()[0]}); "
        "check the file, and its `kind` in the shop file"
    )
