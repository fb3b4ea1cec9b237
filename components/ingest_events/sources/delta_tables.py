"""Sources that are Delta tables: read as they are at their newest version, whole, whenever their files have changed.

Files of such a table are rewritten all the time, so only the whole of it says what a row is.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from components.contracts.errors import SourceError
from components.home.storage.locations import BucketPath, parse_location
from components.ingest_events.files.locations import locate
from components.ingest_events.files.source_file import SourceFile
from components.ingest_events.mapping.columns import Ask, Layout
from components.ingest_events.offsets import Offsets
from components.ingest_events.reader import Print, SourceContext, Staged
from components.ingest_events.sources.files import FileChanges
from components.lake.tables import LOG
from components.shop.sources import DeltaSource

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROWS = "delta_rows"


@dataclass(frozen=True)
class LoggedFile(SourceFile):
    """A file of a Delta table as its log describes it; it never changes, and only the log knows where it is."""

    size: int
    modified_ms: int

    def state(self) -> tuple[int, int]:
        return self.size, self.modified_ms * 1_000_000

    def digest(self) -> str:
        return f"delta:{self.key}"


class DeltaReader:
    """Reads one Delta table."""

    def __init__(self, source: DeltaSource, context: SourceContext) -> None:
        self._source, self._context = source, context
        self._place = parse_location(source.path) if "://" in source.path else locate(context.where, source.path)

    def stage(self, session: "DuckDBPyConnection", known: Offsets, ask: Ask, whole: bool) -> Staged:
        """Stage all rows of the table if any of its files is new, or, with ``whole``, has gone."""
        from components.ingest_events.files.relations import refuse_nothing  # brings the engine

        files = self._files()
        changes = FileChanges.between(known, files)
        is_changed = bool(changes.unread) or (whole and changes.has_gone)
        layouts = (self._layout(session, ask),) if files and is_changed else ()
        if not layouts and (not changes.known or is_changed):
            refuse_nothing(self._context.where, {})
        columns = tuple(layouts[0].columns.kinds) if layouts else known.columns
        return Staged(layouts, replace(known, columns=columns, positions=changes.positions(whole=True)), len(files))

    def fingerprint(self) -> Iterator[Print]:
        """Give each file of the newest version by its size and time."""
        for file in self._files():
            yield file.key, *map(str, file.state())

    def _files(self) -> list[LoggedFile]:
        """Return the files that make up the table at its newest version."""
        added = pa.table(self._open().get_add_actions())
        listed = zip(*(added[key].to_pylist() for key in ("path", "size_bytes", "modification_time")), strict=True)
        return sorted((LoggedFile(key, Path(key), size, time) for key, size, time in listed), key=lambda f: f.key)

    def _layout(self, session: "DuckDBPyConnection", ask: Ask) -> Layout:
        from components.ingest_events.files.relations import relation_columns
        from components.ingest_events.mapping.columns import FILE, SourceColumns

        where, zone = self._context.where, self._source.zone or self._context.zone
        session.register(ROWS, self._rows())
        relation = f"(SELECT *, '' AS {FILE} FROM {ROWS})"
        columns = SourceColumns(where, relation_columns(session, where, relation), self._source, zone)
        ask(columns)
        return Layout(columns, relation)

    def _rows(self) -> ds.Dataset:
        """Return the rows, with the types and partitions that the log says.

        Raises:
            SourceError: the table asks for what is not supported, such as deletion vectors.
        """
        try:
            return self._open().to_pyarrow_dataset()
        except (DeltaError, OSError) as error:
            raise self._unreadable(error) from error

    def _open(self) -> DeltaTable:
        where, place = self._context.where, self._place
        try:
            if isinstance(place, BucketPath):
                from components.home.storage.bucket import delta_options  # brings the client, which few shops need

                return DeltaTable(place.url, storage_options=delta_options(place))
            return DeltaTable(place)
        except TableNotFoundError as error:
            raise SourceError(
                f"{where}: found no Delta table at {place}, expected a folder with a `{LOG}`; correct `source.path` "
                "or `source.kind` in the shop file"
            ) from error
        except (DeltaError, OSError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> SourceError:
        return SourceError(
            f"{self._context.where}: the Delta table {self._place} cannot be read ({str(error).splitlines()[0]}); a "
            "table that uses deletion vectors or column mapping must be rewritten without them first, or be exported "
            "as Parquet"
        )
