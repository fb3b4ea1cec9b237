"""The engine seam: where Ibis expressions over lake tables run. DuckDB on one machine; a cluster brings another."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import ibis
import pyarrow as pa
from ibis.backends.duckdb import Backend

from components.home.storage.locations import Location
from components.lake.resources import small_memory
from components.lake.session import delta_relation, engine_settings, quote_identifier


class Engine(Protocol):
    """What steps need of an engine."""

    def delta_table(self, uri: Location, schema: pa.Schema, version: int | None = None) -> ibis.Table:
        """A Delta table at a version, as an Ibis table; no rows if the table is missing or empty."""
        ...

    def memory_table(self, rows: pa.Table) -> ibis.Table:
        """Rows in memory as an Ibis table."""
        ...

    def stream(self, expression: ibis.Table, batch_rows: int = 100_000) -> pa.RecordBatchReader:
        """Run an expression and stream its rows."""
        ...


class DuckDBEngine:
    """DuckDB within a memory limit; it reads the Parquet files of a table's version itself."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._views = 0

    def delta_table(self, uri: Location, schema: pa.Schema, version: int | None = None) -> ibis.Table:
        view = self._next_view(uri.name)
        relation = delta_relation(uri, schema, version)
        self.backend.raw_sql(f"CREATE TEMP VIEW {quote_identifier(view)} AS FROM {relation}")
        return self.backend.table(view)

    def memory_table(self, rows: pa.Table) -> ibis.Table:
        view = self._next_view("rows")
        self.backend.con.register(view, rows)
        return self.backend.table(view)

    def stream(self, expression: ibis.Table, batch_rows: int = 100_000) -> pa.RecordBatchReader:
        # Not Ibis' own to_pyarrow_batches: Ibis 12 calls a method that DuckDB 2 has dropped.
        return self.backend.con.sql(self.backend.compile(expression)).to_arrow_reader(batch_rows)

    def _next_view(self, stem: str) -> str:
        self._views += 1
        return f"{stem}_{self._views}"


@contextmanager
def default_engine() -> Iterator[None]:
    """Have what uses Ibis's default backend, as Feast does, use an engine that keeps to the same rules."""
    with open_engine(small_memory()) as engine:
        ibis.set_backend(engine.backend)
        try:
            yield
        finally:
            ibis.options.default_backend = None


@contextmanager
def open_engine(memory_limit: str | None = None, threads: int | None = None) -> Iterator[DuckDBEngine]:
    """Open the embedded engine, in UTC, as ``engine_settings`` says."""
    with engine_settings(memory_limit, threads) as settings:
        backend = ibis.duckdb.connect(**settings)
        backend.raw_sql("SET TimeZone = 'UTC'")
        try:
            yield DuckDBEngine(backend)
        finally:
            backend.disconnect()
