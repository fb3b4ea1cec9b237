"""Where a source's files are, and whether they have changed since they were read."""

import glob
import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from components.contracts.errors import SourceError
from components.contracts.shop import Source

PACKAGE = "package:"
SUFFIXES = {"parquet": (".parquet", ".pq"), "csv": (".csv", ".csv.gz", ".tsv", ".txt")}


@dataclass(frozen=True)
class Fingerprint:
    """What a file was when it was read; equal content has an equal ``sha256`` whatever its time."""

    size: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True)
class SourceFile:
    """One file of a source; ``key`` names it within the source, wherever the source has been moved to."""

    key: str
    path: Path

    def fingerprint(self, known: Fingerprint | None) -> Fingerprint:
        """Fingerprint the file; its content is only hashed when size or time differ from what is known."""
        status = self.path.stat()
        if known is not None and (known.size, known.modified_ns) == (status.st_size, status.st_mtime_ns):
            return known
        with self.path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        return Fingerprint(status.st_size, status.st_mtime_ns, digest)


def source_files(name: str, source: Source) -> list[SourceFile]:
    """List the files of a Parquet or CSV source, sorted by key; a path that does not exist is taken for a pattern.

    Raises:
        SourceError: there is no such file, folder, match or Python package.
    """
    path = locate(name, source.path or "")
    if path.is_dir():
        root, found = path, [entry for entry in path.rglob("*") if entry.name.endswith(SUFFIXES[source.kind])]
    elif path.is_file():
        root, found = path.parent, [path]
    else:
        root = next(folder for folder in path.parents if folder.is_dir())
        found = [root / match for match in glob.glob(str(path.relative_to(root)), root_dir=root, recursive=True)]
    files = sorted((SourceFile(str(entry.relative_to(root)), entry) for entry in found), key=lambda file: file.key)
    if not files:
        raise SourceError(
            f"{name}: found no file at {path}, expected {source.kind} data there; "
            "correct `source.path` in the shop file"
        )
    return files


def locate(name: str, path: str) -> Path:
    """Resolve a source path; ``package:NAME/FILE`` is a file inside an installed Python package."""
    if not path.startswith(PACKAGE):
        return Path(path)
    package, _, inside = path.removeprefix(PACKAGE).partition("/")
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise SourceError(
            f"{name}: the Python package {package!r} is not installed, and {path} lies in it; "
            f"install it with `pip install {package.replace('_', '-')}`"
        )
    return Path(found.submodule_search_locations[0]) / inside
