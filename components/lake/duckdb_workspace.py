"""The engine of one machine: DuckDB within its bounds, which reads the Parquet files of a table's version itself."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from itertools import count
from threading import Lock

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
from duckdb import DuckDBPyConnection
from ibis.backends.duckdb import Backend

from components.home.storage.locations import Location
from components.lake.session import delta_relation, engine_settings, quote_identifier
from components.lake.workspace import statement_at

MAX_STATEMENTS = 1000  # a build of all features has about 30
COMPILING = Lock()  # Ibis does not say that it compiles safely in several threads


def statement_of(table: ir.Table) -> str:
    """Return the SQL of an expression, compiled once; all moments share it, a placeholder stands for theirs."""
    with COMPILING:
        return _compiled(table.op())


@lru_cache(maxsize=MAX_STATEMENTS)
def _compiled(node: ops.Relation) -> str:
    return ibis.to_sql(node.to_expr(), dialect="duckdb", pretty=False)


class DuckDBTables:
    """Tables of a DuckDB session, of all moments or of one."""

    def __init__(self, session: DuckDBPyConnection, moment: datetime | None = None) -> None:
        self._session, self._moment = session, moment

    def store(self, name: str, table: ir.Table) -> ir.Table:
        """Keep a table (Ibis's own way writes it twice, and cannot replace one on DuckDB 2)."""
        kind = "TEMP TABLE" if self._moment else "TABLE"
        self._session.execute(f"CREATE OR REPLACE {kind} {quote_identifier(name)} AS {self._statement(table)}")
        return ibis.table(table.schema(), name=name)

    def fetch(self, table: ir.Table) -> pa.Table:
        """Read a table's rows."""
        return self._session.sql(self._statement(table)).to_arrow_table()

    def _statement(self, table: ir.Table) -> str:
        statement = statement_of(table)
        return statement_at(statement, self._moment) if self._moment else statement


class DuckDBWorkspace(DuckDBTables):
    """A DuckDB engine and the clean tables in it."""

    def __init__(self, backend: Backend, clean: Mapping[str, ir.Table]) -> None:
        super().__init__(backend.con)
        self.backend, self.clean = backend, clean
        self._numbers = count(1)

    def over(self, clean: Mapping[str, ir.Table]) -> "DuckDBWorkspace":
        return DuckDBWorkspace(self.backend, clean)

    @contextmanager
    def at(self, moment: datetime) -> Iterator[DuckDBTables]:
        """Stand at a moment, in a session of its own."""
        with self._session.cursor() as session:
            session.execute("SET TimeZone = 'UTC'")
            yield DuckDBTables(session, moment)

    def delta_table(self, uri: Location, schema: pa.Schema, version: int | None = None) -> ir.Table:
        view = f"{uri.name}_{next(self._numbers)}"
        relation = delta_relation(uri, schema, version)
        self.backend.raw_sql(f"CREATE TEMP VIEW {quote_identifier(view)} AS FROM {relation}")
        return self.backend.table(view)

    def memory_table(self, rows: pa.Table) -> ir.Table:
        view = f"rows_{next(self._numbers)}"
        self.backend.con.register(view, rows)
        return self.backend.table(view)

    def stream(self, table: ir.Table, batch_rows: int = 100_000) -> pa.RecordBatchReader:
        # Not Ibis' own to_pyarrow_batches: Ibis 12 calls a method that DuckDB 2 has dropped.
        return self.backend.con.sql(self.backend.compile(table)).to_arrow_reader(batch_rows)

    def text_hash(self, text: ir.StringValue) -> ir.IntegerValue:
        return (ibis.literal("0x") + text.hexdigest("md5").substr(0, 7)).cast("int64")


@contextmanager
def open_duckdb(memory_limit: str | None = None, threads: int | None = None) -> Iterator[DuckDBWorkspace]:
    """Open DuckDB, in UTC, within the bounds of ``engine_settings``; its clean tables are none yet."""
    with engine_settings(memory_limit, threads) as configuration:
        backend = ibis.duckdb.connect(**configuration)
        backend.raw_sql("SET TimeZone = 'UTC'")
        try:
            yield DuckDBWorkspace(backend, {})
        finally:
            backend.disconnect()
