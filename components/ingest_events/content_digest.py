"""A digest of a table's rows in any order: the same for the same rows, whichever engine or version computes it.

A row is the MD5 of its cells as texts, in which the engine has no say: times are microseconds since 1970, and a
fraction is two whole numbers. The digest is the number of rows and the sum of what their MD5s begin with.
"""

from collections.abc import Iterator

import duckdb
import pyarrow as pa

from components.ingest_events.mapping.columns import row_identity
from components.lake.session import duckdb_type, quote_identifier

SUMMED_LETTERS = 15  # of a row's identity, which fit in 64 bits
FRACTION = 2**53  # makes a whole number of a fraction
MISSING, ENTRY_END = "chr(30)", "chr(29)"


def content_digest(session: duckdb.DuckDBPyConnection, table: str, schema: pa.Schema) -> tuple[int, str]:
    """Return the number of rows of a table, and the digest of their content."""
    identity = row_identity(f"coalesce({text}, {MISSING})" for field in schema for text in _texts(field))
    number = f"CAST('0x' || left({identity}, {SUMMED_LETTERS}) AS BIGINT)"
    [(rows, total)] = session.execute(f"SELECT count(*), CAST(sum({number}) AS VARCHAR) FROM {table}").fetchall()
    return rows, f"{rows}:md5:{total}"


def _texts(field: pa.Field) -> Iterator[str]:
    """Yield SQL of a column as texts, missing ones as NULL."""
    cell = f"CAST({quote_identifier(field.name)} AS {duckdb_type(field.type)})"
    if pa.types.is_list(field.type):
        yield f"array_to_string({cell}, {ENTRY_END})"
    elif pa.types.is_map(field.type):
        yield from (f"array_to_string(map_{part}({cell}), {ENTRY_END})" for part in ("keys", "values"))
    elif pa.types.is_timestamp(field.type):
        yield f"CAST(epoch_us({cell}) AS VARCHAR)"
    elif pa.types.is_floating(field.type):
        for whole in (f"floor({cell})", f"({cell} - floor({cell})) * {FRACTION}"):
            yield f"CAST(TRY_CAST({whole} AS BIGINT) AS VARCHAR)"
    elif pa.types.is_string(field.type):
        yield cell
    else:
        yield f"CAST(CAST({cell} AS BIGINT) AS VARCHAR)"
