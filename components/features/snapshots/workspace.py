"""Where features are computed: the clean tables in an engine, and a place for intermediate tables."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from components.contracts.tables import CANONICAL, ITEM_CODES
from components.features.inputs.moment import statement_at
from components.lake.engine import DuckDBEngine, open_engine

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CLEAN = {**{name: CANONICAL[name] for name in ("events", "items", "users", "promotions")}, "item_codes": ITEM_CODES}


class Tables(Protocol):
    """Evaluates Ibis expressions, in UTC, and keeps those that are used again."""

    def store(self, name: str, table: ir.Table) -> ir.Table:
        """Evaluate a table once and keep it under a name, replacing what the name held."""
        ...

    def fetch(self, table: ir.Table) -> pa.Table:
        """Evaluate a table into memory."""
        ...


class Workspace(Tables, Protocol):
    """Evaluates expressions over the clean tables."""

    @property
    def clean(self) -> Mapping[str, ir.Table]:
        """The clean tables by name."""
        ...

    def at(self, moment: datetime) -> AbstractContextManager[Tables]:
        """Stand at a moment: see what is kept here, and keep what is of that moment only until the end.

        Several moments may be open at once, each in a thread of its own.
        """
        ...


class DuckDBTables:
    """Tables of a DuckDB session, of all moments or of one."""

    def __init__(self, session: "DuckDBPyConnection", statements: "Statements", moment: datetime | None = None) -> None:
        self._session, self._statements, self._moment = session, statements, moment

    def store(self, name: str, table: ir.Table) -> ir.Table:
        """Keep a table (Ibis's own way writes it twice, and cannot replace one on DuckDB 2)."""
        kind = "TEMP TABLE" if self._moment else "TABLE"
        self._session.execute(f'CREATE OR REPLACE {kind} "{name}" AS {self._statement(table)}')
        return ibis.table(table.schema(), name=name)

    def fetch(self, table: ir.Table) -> pa.Table:
        """Read a table's rows."""
        return self._session.sql(self._statement(table)).to_arrow_table()

    def _statement(self, table: ir.Table) -> str:
        statement = self._statements.of(table)
        return statement_at(statement, self._moment) if self._moment else statement


class DuckDBWorkspace(DuckDBTables):
    """The workspace of one machine, in a DuckDB engine."""

    def __init__(self, engine: DuckDBEngine, clean: Mapping[str, ir.Table]) -> None:
        super().__init__(engine.backend.con, Statements())
        self.clean = clean

    @contextmanager
    def at(self, moment: datetime) -> Iterator[DuckDBTables]:
        """Stand at a moment, in a session of its own."""
        with self._session.cursor() as session:
            session.execute("SET TimeZone = 'UTC'")
            yield DuckDBTables(session, self._statements, moment)


class Statements:
    """The SQL of expressions, compiled when first asked for; all moments share it, a placeholder stands for theirs."""

    def __init__(self) -> None:
        self._known: dict[Any, str] = {}
        self._lock = Lock()  # Ibis does not say that it compiles safely in several threads

    def of(self, table: ir.Table) -> str:
        """A table's statement."""
        with self._lock:
            node = table.op()
            if node not in self._known:
                self._known[node] = ibis.to_sql(table, dialect="duckdb", pretty=False)
            return self._known[node]


@contextmanager
def clean_workspace(clean: Path, versions: Mapping[str, int]) -> Iterator[Workspace]:
    """Open a workspace over the clean Delta tables at stated versions; a table without one has no rows."""
    with open_engine() as engine:
        tables = {name: engine.delta_table(clean / name, schema, versions.get(name)) for name, schema in CLEAN.items()}
        yield DuckDBWorkspace(engine, tables)
