"""What has been read of a source: kept in the notes of the commit that brought its rows."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from components.ingest_events.files.locations import Fingerprint, SourceFile
from components.lake.tables import Notes


@dataclass(frozen=True)
class Offsets:
    """How far one source has been read, and under which settings."""

    settings: str  # digest of what the shop file says about reading it
    files: dict[str, Fingerprint] = field(default_factory=dict)
    cursor: dict[str, str] | None = None
    below: int | None = None  # rows below the cursor's window that were there; None: not counted yet
    columns: tuple[str, ...] = ()  # columns that the source had
    unmapped: tuple[str, ...] = ()  # of these, the ones that no key names
    content: str | None = None  # digest of a snapshot's mapped rows

    def unread(self, files: list[SourceFile]) -> tuple[list[SourceFile], Self]:
        """The files whose content is not known yet, and the offsets once they are read."""
        prints = {file.key: file.fingerprint(self.files.get(file.key)) for file in files}
        unread = [
            file
            for file in files
            if file.key not in self.files or self.files[file.key].sha256 != prints[file.key].sha256
        ]
        return unread, replace(self, files=self.files | prints)

    def as_notes(self) -> Notes:
        return asdict(self)

    @classmethod
    def from_notes(cls, notes: Notes) -> Self:
        files = {key: Fingerprint(**found) for key, found in notes["files"].items()}
        columns = {key: tuple(notes[key]) for key in ("columns", "unmapped")}
        return cls(**(notes | columns | {"files": files}))


def settings_digest(*settings: Any) -> str:
    """A digest of settings: when it changes, what was read under the old ones is read again."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]
