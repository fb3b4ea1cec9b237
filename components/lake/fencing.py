"""Keep a run that lost its lease from committing, wherever it was paused."""

from collections.abc import Iterable

import pyarrow as pa

from components.home.storage.held import was_taken_over
from components.home.storage.locations import BucketPath, Location
from components.lake.tables import append_rows, open_table, read_notes


def fence_after_takeover(home: Location, tables: Iterable[Location]) -> None:
    """Fence the tables of a home in a bucket if its last run let the lease expire, and may be paused only.

    Raises:
        HomeBusyError, SourceError: as ``fence_tables``.
    """
    if was_taken_over(home):
        fence_tables(table for table in tables if isinstance(table, BucketPath))


def fence_tables(tables: Iterable[BucketPath]) -> None:
    """Commit to each table that exists, without rows and with its notes, so that its next version is taken.

    A run that read a table's version before it was paused then fails to commit; one that reads it afterwards finds
    first that its lease is gone. Call it with a lease that another run let expire.

    Raises:
        HomeBusyError: this run has lost its lease itself.
        SourceError: a table cannot be written.
    """
    for uri in tables:
        table = open_table(uri)
        if table is not None:
            append_rows(uri, pa.schema(table.schema().to_arrow()).empty_table(), read_notes(uri))
