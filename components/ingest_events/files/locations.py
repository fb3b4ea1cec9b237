"""Where a source's files are, and which of them are data.

Of folders that are tables with a log, the log alone says which files count.
"""

import glob
import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from components.contracts.errors import SourceError
from components.ingest_events.files.source_file import SourceFile, is_hidden
from components.lake.tables import LOG
from components.shop.sources import PACKAGE, FileSource

SUFFIXES = {"parquet": (".parquet", ".pq", ".parq"), "csv": (".csv", ".tsv", ".txt")}
PACKED = (".gz", ".bz2", ".zst")  # may follow the suffix of a CSV
HIDDEN, EMPTY = "a hidden name", "empty"
SHOWN = 3  # files that an error lists
OTHER_LOGS = {"metadata/*.metadata.json": "an Iceberg table", ".hoodie": "a Hudi table"}


@dataclass(frozen=True)
class SourceFiles:
    """The files of a source, sorted by key, and those beside them that are no data, with the reason."""

    data: list[SourceFile]
    left_out: dict[str, str]


def source_files(name: str, source: FileSource, scratch: Path = Path()) -> SourceFiles:
    """List the files of a source; a path that does not exist is taken for a pattern.

    Args:
        scratch: a local folder for those that must be fetched.

    Raises:
        SourceError: there is no such file, folder, match or Python package, or the folder is a table with a log.
        ConfigurationError: there is no such bucket, or the credentials are refused.
    """
    search = _search_bucket(name, source, scratch) if "://" in source.path else _search_folder(name, source)
    reasons = {file: search.reason_to_leave_out(file) for file in sorted(search.files, key=lambda file: file.key)}
    left_out = {file.key: reason for file, reason in reasons.items() if reason is not None}
    if len(left_out) == len(reasons) and EMPTY not in left_out.values():
        raise SourceError(_no_data_message(name, source.kind, search.shown, left_out))
    return SourceFiles([file for file, reason in reasons.items() if reason is None], left_out)


@dataclass(frozen=True)
class _Search:
    """The files at a path; a name or suffix that the path itself asks for is as good as any."""

    shown: str
    files: Sequence[SourceFile]
    suffixes: tuple[str, ...] = ()
    asks_for_hidden: bool = False

    def reason_to_leave_out(self, file: SourceFile) -> str | None:
        if not self.asks_for_hidden and any(map(is_hidden, Path(file.key).parts)):
            return HIDDEN
        if self.suffixes and not _without_packing(file.key.lower()).endswith(self.suffixes):
            return f"the suffix is none of {', '.join(self.suffixes)}"
        return EMPTY if file.state()[0] == 0 else None


def _search_folder(name: str, source: FileSource) -> _Search:
    path = locate(name, source.path)
    search = _search(path, source.kind)
    refuse_table_folder(name, path, search.files)
    return search


def _search_bucket(name: str, source: FileSource, scratch: Path) -> _Search:
    from components.ingest_events.files.buckets import list_bucket  # brings the client, which few shops need

    listing = list_bucket(name, source.path, scratch)
    refuse_table_keys(name, source.path, [file.key for file in listing.files])
    suffixes = SUFFIXES[source.kind] if listing.is_folder else ()
    return _Search(source.path, listing.files, suffixes, listing.asks_for_hidden)


def _search(path: Path, kind: str) -> _Search:
    """List every file at a path."""
    if path.is_file():
        return _Search(str(path), [SourceFile(path.name, path)], asks_for_hidden=True)
    if path.is_dir():
        return _Search(str(path), _files(path, path.rglob("*")), SUFFIXES[kind])
    root = next(folder for folder in path.parents if folder.is_dir())
    pattern = path.relative_to(root)
    matches = (root / match for match in glob.glob(str(pattern), root_dir=root, recursive=True))
    return _Search(str(path), _files(root, matches), asks_for_hidden=any(map(is_hidden, pattern.parts)))


def _files(root: Path, entries: Iterable[Path]) -> list[SourceFile]:
    return [SourceFile(str(entry.relative_to(root)), entry) for entry in entries if entry.is_file()]


def _without_packing(name: str) -> str:
    return next((name.removesuffix(packed) for packed in PACKED if name.endswith(packed)), name)


def _no_data_message(name: str, kind: str, path: str, left_out: dict[str, str]) -> str:
    if not left_out:
        return f"{name}: found no file at {path}, expected {kind} data there; correct `source.path` in the shop file"
    listed = ", ".join(f"{key} ({reason})" for key, reason in list(left_out.items())[:SHOWN])
    more = f" and {len(left_out) - SHOWN:,} more" if len(left_out) > SHOWN else ""
    return (
        f"{name}: found no {kind} data at {path}, only {listed}{more}; correct `source.path` or `source.kind` in the "
        "shop file"
    )


def locate(name: str, path: str) -> Path:
    """Resolve a source path; ``package:NAME/FILE`` is a file inside an installed Python package."""
    if not path.startswith(PACKAGE):
        return Path(path)
    package, _, inside = path.removeprefix(PACKAGE).partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SourceError(
            f"{name}: the Python package {package!r} is not installed, and {path} lies in it; "
            f"install it with `pip install {package.replace('_', '-')}`"
        )
    return Path(spec.submodule_search_locations[0]) / inside


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
