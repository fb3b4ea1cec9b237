"""Raw tables that an earlier version of Rankloop wrote, brought to the layout of this one."""

import duckdb
import pyarrow as pa

from components.contracts.tables import RAW
from components.home.storage.locations import Location
from components.lake.rows import stream_rows
from components.lake.session import delta_relation, quote_literal
from components.lake.tables import open_table, read_notes, rewrite_table

SOURCE = "source"


def name_sources(session: duckdb.DuckDBPyConnection, uri: Location) -> None:
    """Give the rows of raw impressions their source, where there was none but the shop's own; notes stay."""
    table = open_table(uri)
    if table is None or SOURCE in {field.name for field in table.schema().fields}:
        return
    schema = RAW[uri.name]
    before = pa.schema([field for field in schema if field.name != SOURCE])
    columns = ", ".join(f"{quote_literal(uri.name)} AS {name}" if name == SOURCE else name for name in schema.names)
    rows = stream_rows(session, f"SELECT {columns} FROM {delta_relation(uri, before)}", schema)
    rewrite_table(uri, rows, read_notes(uri))
