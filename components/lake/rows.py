"""Rows on their way from a query to a table: streamed in batches, cast to a schema, counted."""

import duckdb
import pyarrow as pa

BATCH_ROWS = 100_000


class CountedRows:
    """A query's rows as a stream that counts them."""

    def __init__(self, session: duckdb.DuckDBPyConnection, sql: str, schema: pa.Schema) -> None:
        self.count = 0
        stream = session.sql(sql).to_arrow_reader(BATCH_ROWS)
        self.reader = pa.RecordBatchReader.from_batches(schema, (self._counted(batch, schema) for batch in stream))

    def _counted(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        self.count += len(batch)
        return batch.cast(schema)


def stream_rows(session: duckdb.DuckDBPyConnection, sql: str, schema: pa.Schema) -> pa.RecordBatchReader:
    """Stream a query's rows in batches, cast to a schema."""
    return CountedRows(session, sql, schema).reader
