"""Sources: the snapshots of a feature set, as Parquet."""

import glob
from pathlib import Path

from feast import FileSource
from feast.data_format import ParquetFormat

from components.features.views import CREATED_TIMESTAMP, EVENT_TIMESTAMP


def snapshot_source(folder: Path, view: str) -> FileSource:
    """The snapshots of a view in a set's folder."""
    return FileSource(
        name=f"{view}_snapshots",
        path=f"{glob.escape(str(folder / view))}/*.parquet",  # DuckDB would take ? and * in the folder for a pattern
        file_format=ParquetFormat(),
        timestamp_field=EVENT_TIMESTAMP,
        created_timestamp_column=CREATED_TIMESTAMP,
    )
