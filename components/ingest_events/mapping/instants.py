"""Parquet columns that hold instants although the engine calls them local times.

INT96, as Spark, Impala and Hive write it, is an instant in UTC without a mark; so is a timestamp whose mark is of the
first version of the format. A source with a ``time_zone`` of its own says otherwise.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components.ingest_events.mapping.times import INT96, ZONED, ZONED_NANOSECONDS
from components.shop.sources import FileSource


def with_instants(source: FileSource, paths: Iterable[Path], kinds: dict[str, str]) -> dict[str, str]:
    """Return the kinds of a source's columns, ``INT96`` where its files hold instants that the engine takes for local.

    Files that disagree are each what they are: a column is an instant if it is one in every file that has it.
    """
    local = [
        column
        for column, kind in kinds.items()
        if kind.startswith("TIMESTAMP") and kind not in (ZONED, ZONED_NANOSECONDS)
    ]
    if source.time_zone is not None or not local:
        return kinds
    marked = [_instants(path) for path in paths]
    instants = [
        column for column in local if (marks := [each[column] for each in marked if column in each]) and all(marks)
    ]
    return kinds | dict.fromkeys(instants, INT96)


def _instants(path: Path) -> dict[str, bool]:
    """Of each column of a file, whether it is an instant; of none where the file cannot be read."""
    try:
        schema = pq.ParquetFile(path).schema
    except (OSError, pa.ArrowException):  # the engine says what is wrong with it
        return {}
    columns = [schema.column(place) for place in range(len(schema.names))]
    return {column.path: _is_instant(column) for column in columns}


def _is_instant(column: Any) -> bool:
    return column.physical_type == INT96 or json.loads(column.logical_type.to_json()).get("isAdjustedToUTC", False)
