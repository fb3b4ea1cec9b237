"""Keeping a run that lost its lease from committing, whatever moment it was paused at."""

from collections.abc import Iterable

import pyarrow as pa

from components.home.storage.locations import BucketPath
from components.lake.tables import append_rows, open_table, read_notes


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
