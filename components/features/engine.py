"""The engine seam: what computing features asks of DuckDB on one machine, and of Spark on a cluster."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.duckdb import Backend

from components.contracts.tables import CANONICAL, ITEM_CODES
from components.lake.session import delta_relation, duckdb_session

CLEAN = {**{name: CANONICAL[name] for name in ("events", "items", "users", "promotions")}, "item_codes": ITEM_CODES}


class Engine(Protocol):
    """Evaluates Ibis expressions over the clean tables."""

    @property
    def clean(self) -> Mapping[str, ir.Table]:
        """The clean tables by name."""
        ...

    def store(self, name: str, table: ir.Table) -> ir.Table:
        """Evaluate a table once and keep it under a name, replacing what the name held."""
        ...

    def fetch(self, table: ir.Table) -> pa.Table:
        """Evaluate a table into memory."""
        ...


@dataclass(frozen=True)
class DuckDBEngine:
    """The engine of one machine."""

    connection: Backend
    clean: Mapping[str, ir.Table]

    def store(self, name: str, table: ir.Table) -> ir.Table:
        """Keep a table as a temporary table (Ibis's own way writes it twice, and cannot replace one on DuckDB 2)."""
        self.connection.raw_sql(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {self.connection.compile(table)}')
        return self.connection.table(name, database="temp.main")

    def fetch(self, table: ir.Table) -> pa.Table:
        """Read a table's rows."""
        return self.connection.to_pyarrow(table)


@contextmanager
def clean_engine(clean: Path, versions: Mapping[str, int]) -> Iterator[Engine]:
    """Open a DuckDB engine over the clean Delta tables at stated versions; a table without one has no rows."""
    with duckdb_session() as session:
        connection = ibis.duckdb.from_connection(session)
        for name, schema in CLEAN.items():
            relation = delta_relation(clean / name, schema, versions.get(name))
            session.execute(f"CREATE TEMP VIEW clean_{name} AS SELECT * FROM {relation}")
        tables = {name: connection.table(f"clean_{name}", database="temp.main") for name in CLEAN}
        yield DuckDBEngine(connection, tables)
