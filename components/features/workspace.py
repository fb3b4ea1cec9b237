"""Where features are computed: the clean tables in an engine, and a place for intermediate tables."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import ibis.expr.types as ir
import pyarrow as pa

from components.contracts.tables import CANONICAL, ITEM_CODES
from components.lake.engine import DuckDBEngine, open_engine

CLEAN = {**{name: CANONICAL[name] for name in ("events", "items", "users", "promotions")}, "item_codes": ITEM_CODES}


class Workspace(Protocol):
    """Evaluates Ibis expressions over the clean tables, and keeps those that are used again."""

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
class DuckDBWorkspace:
    """The workspace of one machine, in a DuckDB engine."""

    engine: DuckDBEngine
    clean: Mapping[str, ir.Table]

    def store(self, name: str, table: ir.Table) -> ir.Table:
        """Keep a table as a temporary table (Ibis's own way writes it twice, and cannot replace one on DuckDB 2)."""
        backend = self.engine.backend
        backend.raw_sql(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {backend.compile(table)}')
        return backend.table(name, database="temp.main")

    def fetch(self, table: ir.Table) -> pa.Table:
        """Read a table's rows."""
        return self.engine.stream(table).read_all()


@contextmanager
def clean_workspace(clean: Path, versions: Mapping[str, int]) -> Iterator[Workspace]:
    """Open a workspace over the clean Delta tables at stated versions; a table without one has no rows."""
    with open_engine() as engine:
        tables = {name: engine.delta_table(clean / name, schema, versions.get(name)) for name, schema in CLEAN.items()}
        yield DuckDBWorkspace(engine, tables)
