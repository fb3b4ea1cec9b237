"""Which files of a source have changed since they were read."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from components.ingest_events.files.locations import Fingerprint, SourceFile
from components.ingest_events.offsets import Offsets

FILES = "files"  # among the positions of a source of files


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
