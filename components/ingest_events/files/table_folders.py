"""Folders that are tables with a log: which of their files count is said by the log alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from components.contracts.errors import SourceError
from components.lake.tables import LOG

OTHER_LOGS = {"metadata/*.metadata.json": "an Iceberg table", ".hoodie": "a Hudi table"}


class Located(Protocol):
    """A file within a folder."""

    @property
    def path(self) -> Path: ...


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


def open_delta(name: str, folder: Path) -> DeltaTable:
    """Open a shop's own Delta table at its newest version.

    Raises:
        SourceError: there is none that can be read.
    """
    try:
        return DeltaTable(folder)
    except TableNotFoundError as error:
        raise SourceError(
            f"{name}: found no Delta table at {folder}, expected a folder with a `{LOG}`; correct `source.path` "
            "or `source.kind` in the shop file"
        ) from error
    except (DeltaError, OSError) as error:
        raise unreadable_table(name, folder, error) from error


def delta_rows(name: str, folder: Path) -> ds.Dataset:
    """Return the rows of a shop's own Delta table, with the types and partitions that its log says.

    Raises:
        SourceError: the table asks for what is not supported, such as deletion vectors.
    """
    try:
        return open_delta(name, folder).to_pyarrow_dataset()
    except (DeltaError, OSError) as error:
        raise unreadable_table(name, folder, error) from error


def unreadable_table(name: str, folder: Path, error: Exception) -> SourceError:
    """Return an error of the Delta library as one line about the source."""
    return SourceError(
        f"{name}: the Delta table {folder} cannot be read ({str(error).splitlines()[0]}); a table that uses deletion "
        "vectors or column mapping must be rewritten without them first, or be exported as Parquet"
    )
