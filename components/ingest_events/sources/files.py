"""Sources of Parquet and CSV files: each file is mapped by itself, and read once unless its content changes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from components.ingest_events.files.fingerprints import FileChanges
from components.ingest_events.files.locations import SourceFile, source_files
from components.ingest_events.offsets import Offsets
from components.ingest_events.reader import Ask, Print, SourceContext, Staged
from components.shop.sources import FileSource

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from components.ingest_events.files.relations import Relations


class FileReader:
    """Reads the files of one source."""

    def __init__(self, source: FileSource, context: SourceContext) -> None:
        self._source, self._context = source, context

    def stage(self, session: "DuckDBPyConnection", known: Offsets, ask: Ask, whole: bool) -> Staged:
        """Stage the files whose content is not known yet; with ``whole`` all of them, if any has changed or gone."""
        from components.ingest_events.files.relations import refuse_nothing  # brings the engine

        where = self._context.where
        listed = source_files(where, self._source, self._context.scratch)
        changes = FileChanges.between(known, listed.data)
        is_changed = bool(changes.unread) or (whole and changes.has_gone)
        wanted = listed.data if whole and is_changed else changes.unread
        for file in wanted:
            file.fetch()
        relations = self._relations(session, wanted, ask)
        left_out = listed.left_out | relations.left_out
        if not relations.layouts and (not changes.known or (whole and is_changed)):
            refuse_nothing(where, left_out)
        after = replace(known, columns=relations.columns, positions=changes.positions(whole))
        return Staged(relations.layouts, after, len(wanted), left_out)

    def fingerprint(self) -> Iterator[Print]:
        """Give each file by its size and time of change."""
        for file in source_files(self._context.where, self._source).data:
            yield file.key, *map(str, file.state())

    def _relations(self, session: "DuckDBPyConnection", files: Sequence[SourceFile], ask: Ask) -> "Relations":
        from components.ingest_events.files.relations import FileRelations

        zone = self._source.zone or self._context.zone
        return FileRelations(session, self._context.where, self._source, zone).relations(files, ask)
