"""SQL tables as DuckDB relations: rows fetched in batches over SQLAlchemy, their cells as text like a CSV's."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from components.contracts.errors import ConfigurationError, SourceError
from components.contracts.urls import AMBIGUOUS, fill_variables, public_url
from components.ingest_events.mapping.cells import EXACT_BELOW
from components.ingest_events.mapping.columns import FILE
from components.lake.session import name
from components.shop.settings import Source

BATCH_ROWS = 50_000
FETCHED = "fetched"
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


@contextmanager
def open_database(where: str, source: Source) -> Iterator["DatabaseTable"]:
    """Open the database of a SQL source for reading.

    Raises:
        ConfigurationError: the URL cannot be understood, or an environment variable in it is not set.
        SourceError: the database, the table or a column cannot be read.
    """
    url = database_url(where, source.url or "")
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
    """The URL of a shop file with its ``${NAME}`` replaced by environment variables."""
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

    def __init__(self, where: str, source: Source, connection: sa.Connection) -> None:
        self.where, self.connection = where, connection
        schema, _, table = (source.table or "").rpartition(".")
        self.table = sa.table(table, schema=schema or None)
        self.cursor: sa.ColumnClause[Any] | None = sa.column(source.cursor) if source.cursor else None

    def columns(self) -> dict[str, str]:
        """The table's columns; their cells are read as text."""
        result = self.connection.execute(sa.select(sa.text("*")).select_from(self.table).limit(0))
        columns = dict.fromkeys(result.keys(), "VARCHAR")
        if self.cursor is not None and self.cursor.name not in columns:
            raise SourceError(
                f"{self.where}: found no column {self.cursor.name!r}, which `source.cursor` names; the table has "
                f"{', '.join(columns)}"
            )
        return columns

    def newest(self) -> Any:
        """The largest cursor value; None for an empty table."""
        return self.connection.execute(sa.select(sa.func.max(self.cursor)).select_from(self.table)).scalar()

    def count_below(self, value: Any) -> int:
        """Return the number of rows with a smaller cursor value."""
        smaller = sa.select(sa.func.count()).select_from(self.table).where(self.cursor < value)
        return int(self.connection.execute(smaller).scalar() or 0)

    def fetch(self, session: duckdb.DuckDBPyConnection, columns: Sequence[str], since: Any) -> str:
        """Fetch columns into a temporary table of the session; return its name.

        Read are the rows from a cursor value on, and those without one: nothing says whether they are new.
        """
        wanted = list(dict.fromkeys([*columns, *([self.cursor.name] if self.cursor is not None else [])]))
        schema = pa.schema([(column, pa.string()) for column in wanted])
        listed = ", ".join(f"{name(column)} VARCHAR" for column in wanted)
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
    """A column's cells as text; whole floats lose their ``.0``, times are ISO 8601."""
    try:
        column = pa.array(cells)
        if not pa.types.is_binary(column.type) and not _has_exponents(column):
            return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        pass
    return pa.array([None if cell is None else _cell_text(cell) for cell in cells], pa.string())


def _has_exponents(column: pa.Array) -> bool:
    """Say whether Arrow would write some cells with an exponent, whole numbers among them."""
    return pa.types.is_floating(column.type) and bool(pc.any(pc.greater_equal(pc.abs(column), 1e10)).as_py())


def _cell_text(cell: Any) -> str:
    """A cell as text: bytes that are no UTF-8 by their digits, floats that stand for several whole numbers as such."""
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
