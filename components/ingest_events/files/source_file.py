"""One file of a source: its state now, and where it is read."""

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fingerprint:
    """The state of a file when it was read; equal content has an equal ``sha256`` at any time."""

    size: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True)
class SourceFile:
    """One file of a source; ``key`` names it within the source, wherever the source has been moved to."""

    key: str
    path: Path

    @property
    def shown(self) -> str:
        """Return where the file lies, for messages."""
        return str(self.path)

    def state(self) -> tuple[int, int]:
        """Size and time of change: while both stay, so does the content."""
        status = self.path.stat()
        return status.st_size, status.st_mtime_ns

    def fingerprint(self, known: Fingerprint | None) -> Fingerprint:
        """Fingerprint the file; its content is only hashed when size or time differ from what is known."""
        size, modified_ns = self.state()
        if known is not None and (known.size, known.modified_ns) == (size, modified_ns):
            return known
        return Fingerprint(size, modified_ns, self.digest())

    def digest(self) -> str:
        """Hash the content."""
        with self.path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()

    def fetch(self) -> None:
        """Bring the file to ``path``, where it does not lie there anyway."""


def is_hidden(part: str) -> bool:
    """Return whether a name marks a path as no data, as for Spark, Hive and Arrow; ``_day=1`` is a partition."""
    return part.startswith(".") or (part.startswith("_") and "=" not in part)
