"""Sources that are SQL tables: rows fetched in batches over SQLAlchemy, their cells as text like a CSV's."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from components.contracts.errors import ConfigurationError, SourceError
from components.contracts.urls import AMBIGUOUS, fill_variables, public_url
from components.ingest_events.mapping.cells import EXACT_BELOW
from components.ingest_events.mapping.columns import FILE, Ask, Layout, SourceColumns
from components.ingest_events.offsets import Offsets
from components.ingest_events.reader import Print, SourceContext, Staged
from components.ingest_events.sources.cursors import read_cursor, window_start, write_cursor
from components.lake.session import quote_identifier
from components.shop.sources import SqlSource

BATCH_ROWS = 50_000
FETCHED = "fetched"
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


class SqlReader:
    """Reads one SQL table."""

    def __init__(self, source: SqlSource, context: SourceContext) -> None:
        self._source, self._context, self._where = source, context, context.where

    def stage(self, session: duckdb.DuckDBPyConnection, known: Offsets, ask: Ask, whole: bool) -> Staged:
        """Stage the rows from the cursor's window on; all rows without a cursor, and with ``whole``."""
        zone = self._source.zone or self._context.zone
        with open_database(self._where, self._source) as database:
            columns = SourceColumns(self._where, database.columns(), self._source, zone)
            ask(columns)
            after = replace(known, columns=tuple(columns.kinds))
            since = None
            if database.cursor is not None and not whole:
                since, after = self._advance(database, after)
            relation = database.fetch(session, list(columns.used), since)
        return Staged((Layout(columns, relation),), after, cursor=self._source.cursor if not whole else None)

    def fingerprint(self) -> Iterator[Print]:
        """Give the cursor's newest value and the number of rows; without a cursor the rows, in any order."""
        with open_database(self._where, self._source) as database:
            if database.cursor is not None:
                database.columns()  # names a cursor that is no column
                yield str(database.newest()), str(database.count())
            else:
                yield (str(database.sum_of_rows()),)

    def _advance(self, database: "DatabaseTable", known: Offsets) -> tuple[Any, Offsets]:
        """Return the cursor value to read from, None for the whole table, and the offsets afterwards."""
        newest, noted = database.newest(), known.positions.get("cursor")
        since = read_cursor(noted) if noted else None
        if since is not None:
            self._refuse_backwards(since, newest)
        start = self._read_from(database, since, known.positions.get("below"))
        if newest is None:
            return start, known
        below = database.count_below(window_start(newest))
        return start, replace(known, positions={"cursor": write_cursor(newest), "below": below})

    def _read_from(self, database: "DatabaseTable", since: Any, below: int | None) -> Any:
        """Return None, the whole table, where rows have arrived below what would be read again."""
        if since is None or below is None:
            return None
        start = window_start(since)
        return None if database.count_below(start) > below else start

    def _refuse_backwards(self, since: Any, newest: Any) -> None:
        if newest is None or newest < since:
            raise SourceError(
                f"{self._where}: found {self._source.cursor} = {newest} as the newest row of {self._source.table}, but "
                f"rows up to {since} were read before; the table was restored or truncated: correct it, or start a new "
                "home"
            )


@contextmanager
def open_database(where: str, source: SqlSource) -> Iterator["DatabaseTable"]:
    """Open the database of a SQL source for reading.

    Raises:
        ConfigurationError: the URL cannot be understood, or an environment variable in it is not set.
        SourceError: the database, the table or a column cannot be read.
    """
    url = database_url(where, source.url)
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            yield DatabaseTable(where, source, connection)
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
        raise ConfigurationError(
            f"{where}: `source.url` is not a database URL that can be opened ({error}), "
            "expected one such as postgresql://user:${PASSWORD}@host/database or sqlite:///file.db"
        ) from error
    except SQLAlchemyError as error:
        reason, shown = str(error).strip().splitlines()[0], public_url(url.render_as_string(hide_password=False))
        raise SourceError(
            f"{where}: table {source.table} at {shown} cannot be read ({reason}); "
            "check the address, the rights and the table's name"
        ) from error


def database_url(where: str, written: str) -> sa.URL:
    """Return the URL of a shop file with its ``${NAME}`` replaced by environment variables."""
    expected = f"expected one such as postgresql://user:${{PASSWORD}}@host/database or sqlite:///file.db; {AMBIGUOUS}"
    try:
        url = sa.make_url(fill_variables(f"{where}: `source.url`", written))
    except (sa.exc.ArgumentError, ValueError):  # their messages may repeat the password
        raise ConfigurationError(f"{where}: found a `source.url` that cannot be understood, {expected}") from None
    if url.drivername.startswith("sqlite") and url.database and not os.path.exists(url.database):
        raise SourceError(f"{where}: found no SQLite file at {url.database}; correct `source.url` in the shop file")
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


class DatabaseTable:
    """One table or view in an open database."""

    def __init__(self, where: str, source: SqlSource, connection: sa.Connection) -> None:
        self.where, self.connection = where, connection
        schema, _, table = source.table.rpartition(".")
        self.table = sa.table(table, schema=schema or None)
        self.cursor: sa.ColumnClause[Any] | None = sa.column(source.cursor) if source.cursor else None

    def columns(self) -> dict[str, str]:
        """Return the table's columns; their cells are read as text."""
        result = self.connection.execute(sa.select(sa.text("*")).select_from(self.table).limit(0))
        columns = dict.fromkeys(result.keys(), "VARCHAR")
        if self.cursor is not None and self.cursor.name not in columns:
            raise SourceError(
                f"{self.where}: found no column {self.cursor.name!r}, which `source.cursor` names; the table has "
                f"{', '.join(columns)}"
            )
        return columns

    def newest(self) -> Any:
        """Return the largest cursor value; None for an empty table."""
        return self.connection.execute(sa.select(sa.func.max(self.cursor)).select_from(self.table)).scalar()

    def count(self) -> int:
        """Return the number of rows."""
        return self._count(sa.select(sa.func.count()).select_from(self.table))

    def sum_of_rows(self) -> int:
        """Return the sum of digests of all rows, which does not depend on their order."""
        rows = self.connection.execute(sa.select(sa.text("*")).select_from(self.table))
        digests = (hashlib.blake2b(repr(tuple(row)).encode(), digest_size=8).digest() for row in rows)
        return sum(int.from_bytes(digest, "little") for digest in digests)

    def count_below(self, value: Any) -> int:
        """Return the number of rows with a smaller cursor value."""
        return self._count(sa.select(sa.func.count()).select_from(self.table).where(self.cursor < value))

    def _count(self, query: sa.Select[int]) -> int:
        return int(self.connection.execute(query).scalar() or 0)

    def fetch(self, session: duckdb.DuckDBPyConnection, columns: Sequence[str], since: Any) -> str:
        """Fetch columns into a temporary table of the session; return its name.

        Read are the rows from a cursor value on, and those without one: nothing says whether they are new.
        """
        wanted = list(dict.fromkeys([*columns, *([self.cursor.name] if self.cursor is not None else [])]))
        schema = pa.schema([(column, pa.string()) for column in wanted])
        listed = ", ".join(f"{quote_identifier(column)} VARCHAR" for column in wanted)
        session.execute(f"CREATE OR REPLACE TEMP TABLE {FETCHED} ({listed}, {FILE} VARCHAR)")
        for rows in self._batches(wanted, since):
            arrays = [text_cells(cells) for cells in zip(*rows, strict=True)]
            session.register("batch", pa.Table.from_arrays(arrays, schema=schema))
            session.execute(f"INSERT INTO {FETCHED} SELECT *, '' FROM batch")
        return FETCHED

    def _batches(self, columns: Sequence[str], since: Any) -> Iterator[Sequence[Sequence[Any]]]:
        query: sa.Select[*tuple[Any, ...]] = sa.select(*map(sa.column, columns)).select_from(self.table)
        if self.cursor is not None:
            query = query.order_by(self.cursor)
            if since is not None:
                query = query.where(sa.or_(self.cursor >= since, self.cursor.is_(None)))
        result = self.connection.execution_options(stream_results=True, yield_per=BATCH_ROWS).execute(query)
        yield from result.partitions(BATCH_ROWS)


def text_cells(cells: Sequence[Any]) -> pa.Array:
    """Return a column's cells as text; whole floats lose their ``.0``, times are ISO 8601."""
    try:
        column = pa.array(cells)
        if not pa.types.is_binary(column.type) and not _has_exponents(column):
            return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        pass
    return pa.array([None if cell is None else _cell_text(cell) for cell in cells], pa.string())


def _has_exponents(column: pa.Array) -> bool:
    """Return whether Arrow would write some cells with an exponent, whole numbers among them."""
    return pa.types.is_floating(column.type) and bool(pc.any(pc.greater_equal(pc.abs(column), 1e10)).as_py())


def _cell_text(cell: Any) -> str:
    """Return a cell as text: bytes that are not UTF-8 as hex digits, floats beyond exact whole numbers as floats."""
    if isinstance(cell, bytes):
        try:
            return cell.decode()
        except UnicodeDecodeError:
            return cell.hex()
    if isinstance(cell, float):
        if abs(cell) >= EXACT_BELOW["DOUBLE"]:
            return f"{cell:.16e}"
        return f"{cell:.17g}" if cell.is_integer() else str(cell)
    return str(cell)
