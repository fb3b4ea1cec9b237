"""Sources of Parquet and CSV files: each file is mapped by itself, and read once unless its content changes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from components.ingest_events.files.locations import source_files
from components.ingest_events.files.source_file import Fingerprint, SourceFile
from components.ingest_events.offsets import Offsets
from components.ingest_events.reader import Print, SourceContext, Staged
from components.shop.sources import FileSource

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from components.ingest_events.files.relations import Relations
    from components.ingest_events.mapping.columns import Ask

FILES = "files"  # among the positions of a source of files


class FileReader:
    """Reads the files of one source."""

    def __init__(self, source: FileSource, context: SourceContext) -> None:
        self._source, self._context = source, context

    def stage(self, session: "DuckDBPyConnection", known: Offsets, ask: "Ask", whole: bool) -> Staged:
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

    def _relations(self, session: "DuckDBPyConnection", files: Sequence[SourceFile], ask: "Ask") -> "Relations":
        from components.ingest_events.files.relations import FileRelations

        zone = self._source.zone or self._context.zone
        return FileRelations(session, self._context.where, self._source, zone).relations(files, ask)


@dataclass(frozen=True)
class FileChanges:
    """The files of a source beside those that were read before."""

    unread: list[SourceFile]  # whose content is not known yet
    known: Mapping[str, Fingerprint]
    present: Mapping[str, Fingerprint]

    @classmethod
    def between(cls, offsets: Offsets, files: Sequence[SourceFile]) -> Self:
        """Compare what was read with what is there; only files of another size or time are looked into."""
        known = {key: Fingerprint(**noted) for key, noted in offsets.positions.get(FILES, {}).items()}
        present = {file.key: file.fingerprint(known.get(file.key)) for file in files}
        unread = [file for file in files if not _is_equal(known.get(file.key), present[file.key])]
        return cls(unread, known, present)

    @property
    def has_gone(self) -> bool:
        """Return whether a file that was read is there no more."""
        return not self.known.keys() <= self.present.keys()

    def positions(self, whole: bool) -> dict[str, Any]:
        """Return the positions once the files are read: of all that ever were, or of those that are there."""
        files = self.present if whole else {**self.known, **self.present}
        return {FILES: {key: asdict(fingerprint) for key, fingerprint in files.items()}}


def _is_equal(known: Fingerprint | None, present: Fingerprint) -> bool:
    return known is not None and known.sha256 == present.sha256
