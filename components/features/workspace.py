"""Where features are computed: the clean tables in an engine, and a place for intermediate tables."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from components.contracts.tables import CANONICAL, ITEM_CODES
from components.features.moment import EPOCH, statement_at
from components.lake.engine import DuckDBEngine, open_engine

CLEAN = {**{name: CANONICAL[name] for name in ("events", "items", "users", "promotions")}, "item_codes": ITEM_CODES}


class Workspace(Protocol):
    """Evaluates Ibis expressions over the clean tables, and keeps those that are used again."""

    @property
    def clean(self) -> Mapping[str, ir.Table]:
        """The clean tables by name."""
        ...

    def stand_at(self, at: datetime) -> None:
        """Evaluate what follows at a moment."""
        ...

    def store(self, name: str, table: ir.Table) -> ir.Table:
        """Evaluate a table once and keep it under a name, replacing what the name held."""
        ...

    def fetch(self, table: ir.Table) -> pa.Table:
        """Evaluate a table into memory."""
        ...


class DuckDBWorkspace:
    """The workspace of one machine, in a DuckDB engine; an expression is compiled when it is first evaluated."""

    def __init__(self, engine: DuckDBEngine, clean: Mapping[str, ir.Table]) -> None:
        self.clean = clean
        self._backend = engine.backend
        self._at = EPOCH
        self._statements: dict[Any, str] = {}

    def stand_at(self, at: datetime) -> None:
        """Evaluate what follows at a moment."""
        self._at = at

    def store(self, name: str, table: ir.Table) -> ir.Table:
        """Keep a table as a temporary table (Ibis's own way writes it twice, and cannot replace one on DuckDB 2)."""
        self._backend.raw_sql(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {self._statement(table)}')
        return ibis.table(table.schema(), name=name)

    def fetch(self, table: ir.Table) -> pa.Table:
        """Read a table's rows."""
        return self._backend.con.sql(self._statement(table)).to_arrow_table()

    def _statement(self, table: ir.Table) -> str:
        node = table.op()
        if node not in self._statements:
            self._statements[node] = ibis.to_sql(table, dialect="duckdb", pretty=False)
        return statement_at(self._statements[node], self._at)


@contextmanager
def clean_workspace(clean: Path, versions: Mapping[str, int]) -> Iterator[Workspace]:
    """Open a workspace over the clean Delta tables at stated versions; a table without one has no rows."""
    with open_engine() as engine:
        tables = {name: engine.delta_table(clean / name, schema, versions.get(name)) for name, schema in CLEAN.items()}
        yield DuckDBWorkspace(engine, tables)
