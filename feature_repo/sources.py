"""Sources: the snapshots of a feature set, as Parquet; sessions, which the service writes online only."""

import glob
from pathlib import Path

import pyarrow.parquet as pq
from feast import FileSource, PushSource
from feast.data_format import ParquetFormat

from components.features.views.view import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from feature_repo.sessions import SESSION_FEATURES, SESSIONS


def snapshot_source(folder: Path, view: str) -> FileSource:
    """The snapshots of a view in a set's folder."""
    return FileSource(
        name=f"{view}_snapshots",
        path=f"{glob.escape(str(folder / view))}/*.parquet",  # DuckDB would take ? and * in the folder for a pattern
        file_format=ParquetFormat(),
        timestamp_field=EVENT_TIMESTAMP,
        created_timestamp_column=CREATED_TIMESTAMP,
    )


def session_source(empty: Path) -> PushSource:
    """Sessions as they are pushed; Feast wants a batch source beside them, which is an empty file."""
    batch = FileSource(
        name=f"{SESSION_FEATURES}_offline",
        path=glob.escape(str(empty)),
        file_format=ParquetFormat(),
        timestamp_field=EVENT_TIMESTAMP,
    )
    return PushSource(name=f"{SESSION_FEATURES}_pushed", batch_source=batch)


def write_empty_sessions(path: Path) -> None:
    """Write the empty file that stands for sessions offline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(SESSIONS.empty_table(), path)
