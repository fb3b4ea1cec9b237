"""What has been read of a source: kept in the notes of the commit that brought its rows."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Self

from components.lake.tables import Notes

COMMON = ("settings", "columns", "unmapped", "content")
UNSAID: tuple[object, ...] = (None, {})  # what notes of earlier versions hold for the positions of other kinds


@dataclass(frozen=True)
class Offsets:
    """How far one source has been read, and under which settings."""

    settings: str = ""  # digest of what the shop file says about reading it
    columns: tuple[str, ...] = ()  # columns that the source had
    unmapped: tuple[str, ...] = ()  # of these, the ones that no key names
    content: str | None = None  # digest of the mapped rows, where they stand for a whole table
    positions: dict[str, Any] = field(default_factory=dict)  # JSON; its keys are those of the source's kind

    def as_notes(self) -> Notes:
        """Return the offsets as JSON; what there is none of is left out."""
        common = {key: value for key in COMMON if (value := getattr(self, key))}
        return common | self.positions

    @classmethod
    def from_notes(cls, notes: Notes) -> Self:
        """Return the inverse of ``as_notes``."""
        columns = {key: tuple(notes.get(key, ())) for key in ("columns", "unmapped")}
        positions = {key: value for key, value in notes.items() if key not in COMMON and value not in UNSAID}
        return cls(notes.get("settings", ""), content=notes.get("content"), positions=positions, **columns)


def settings_digest(*settings: Any) -> str:
    """Digest settings: when they change, what was read under the old ones is read again."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]
