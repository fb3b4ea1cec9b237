"""Folders that are tables with a log: which of their files count is said by the log alone."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from components.contracts.errors import SourceError
from components.lake.tables import LOG

OTHER_LOGS = {"metadata/*.metadata.json": "an Iceberg table", ".hoodie": "a Hudi table"}


class Located(Protocol):
    """A file within a folder."""

    @property
    def path(self) -> Path: ...


def refuse_table_keys(name: str, address: str, keys: Iterable[str]) -> None:
    """Refuse files in a bucket that belong to a table with a log.

    Raises:
        SourceError: one of them lies in its log.
    """
    if any(LOG in PurePosixPath(key).parts for key in keys):
        raise SourceError(
            f"{name}: {address} is a Delta table, whose files hold deleted and rewritten rows, too; set "
            f'`source.kind = "delta"` in the shop file, so that its log is read'
        )


def refuse_table_folder(name: str, path: Path, files: Sequence[Located]) -> None:
    """Refuse files of a table with a log: read one by one they bring deleted and rewritten rows, too.

    Raises:
        SourceError: a folder at, above or below the path is such a table.
    """
    for folder in sorted({path, *path.parents, *(folder for file in files for folder in file.path.parents)}):
        if (folder / LOG).is_dir():
            raise SourceError(
                f"{name}: {folder} is a Delta table, whose files hold deleted and rewritten rows, too; set "
                f'`source.kind = "delta"` and `source.path = "{folder}"` in the shop file, so that its log is read'
            )
        for log, kind in OTHER_LOGS.items():
            if any(folder.glob(log)):
                raise SourceError(
                    f"{name}: {folder} is {kind}, whose files hold deleted and rewritten rows, too, and whose log is "
                    "not read; write its rows to plain Parquet files for `source.path`, or read it over SQL"
                )
