"""The interface of an engine: Ibis expressions over lake tables, evaluated at moments.

Expressions may hold a placeholder for the moment that a snapshot is of, so that they are compiled once and run at many
moments.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol, Self

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from components.contracts.moments import microseconds
from components.home.storage.locations import Location

PLACEHOLDER = 7_777_777_777_777_777_777  # stands for a moment, in microseconds since 1970, in compiled statements


class Tables(Protocol):
    """Evaluates Ibis expressions, in UTC, and stores those that are used again."""

    def store(self, name: str, table: ir.Table) -> ir.Table:
        """Evaluate a table once and keep it under a name, replacing what the name held."""
        ...

    def fetch(self, table: ir.Table) -> pa.Table:
        """Evaluate a table into memory."""
        ...


class CleanTables(Tables, Protocol):
    """Evaluates expressions over the clean tables, at moments."""

    @property
    def clean(self) -> Mapping[str, ir.Table]:
        """Return the clean tables by name."""
        ...

    def at(self, moment: datetime) -> AbstractContextManager[Tables]:
        """Stand at a moment: see what is kept here, and keep what is of that moment only until the end.

        Several moments may be open at once, each in a thread of its own.
        """
        ...


class Workspace(CleanTables, Protocol):
    """The interface of an engine for the steps."""

    @property
    def backend(self) -> ibis.BaseBackend:
        """Return the engine as Ibis knows it."""
        ...

    def delta_table(self, uri: Location, schema: pa.Schema, version: int | None = None) -> ir.Table:
        """Return a Delta table at a version; without rows if the table is missing or empty."""
        ...

    def memory_table(self, rows: pa.Table) -> ir.Table:
        """Return rows in memory as a table."""
        ...

    def over(self, clean: Mapping[str, ir.Table]) -> Self:
        """Return this workspace with these clean tables."""
        ...

    def stream(self, table: ir.Table, batch_rows: int = 100_000) -> pa.RecordBatchReader:
        """Evaluate a table and stream its rows."""
        ...

    def text_hash(self, text: ir.StringValue) -> ir.IntegerValue:
        """Express the hash of a text, which is the same in every engine: the first 28 bits of the md5 of its UTF-8."""
        ...


def statement_at(statement: str, moment: datetime) -> str:
    """Put a moment in the place that a compiled statement keeps for it."""
    return statement.replace(str(PLACEHOLDER), str(microseconds(moment)))
