"""Copy a shop's local sources into a bucket, where the pods of a cluster can read them.

The bucket mirrors the folder of the shop file: ``orders/*.csv`` is read from ``s3://BUCKET/PREFIX/orders/*.csv``.
"""

import json
import os.path
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import obstore
from pydantic import TypeAdapter

from components.contracts.errors import ConfigurationError, SourceError
from components.home.storage.bucket import readable_errors, store_of
from components.home.storage.locations import BucketPath
from components.ingest_events.files.locations import locate, source_files
from components.shop.document import read_document
from components.shop.settings import load_shop
from components.shop.sources import PACKAGE, SQLITE, DeltaSource, FileSource

LOG = "_delta_log"  # of a Delta table


@dataclass(frozen=True)
class Upload:
    """A source on this machine: its path as the shop file has it, the one in the bucket, and its files by object."""

    written: str
    moved: str
    files: dict[BucketPath, Path]

    @property
    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(file.stat().st_size for file in self.files.values())

    def run(self) -> None:
        """Put the files, each in place of an earlier one; a Delta table's log follows the files that it names.

        Raises:
            ConfigurationError, StorageError: the bucket cannot be used.
        """
        for location in sorted(self.files, key=lambda each: (LOG in each.key, each)):
            with readable_errors(location):
                obstore.put(store_of(location), location.key, self.files[location])


def plan_uploads(shop_file: Path, target: BucketPath) -> list[Upload]:
    """Return the uploads that a shop's local sources need; those in buckets and on database servers need none.

    Raises:
        ConfigurationError: the shop file is wrong, a source is a file of SQLite, or two would have one place.
        SourceError: a source has no file, or is a package that is not installed.
    """
    load_shop(shop_file)
    sources = [source for source in _sources(read_document(shop_file)) if _is_local(source, shop_file)]
    uploads = [_upload(source, shop_file, target) for source in {source["path"]: source for source in sources}.values()]
    origins: dict[BucketPath, Path] = {}
    for location, file in ((location, file) for upload in uploads for location, file in upload.files.items()):
        if not origins.setdefault(location, file).samefile(file):
            raise ConfigurationError(f"{shop_file}: {origins[location]} and {file} would both be {location}; move one")
    return uploads


def moved_shop_file(shop_file: Path, uploads: list[Upload]) -> str:
    """Return the text of a shop file that reads from the bucket what was uploaded.

    Raises:
        ConfigurationError: a path is written with escapes.
    """
    text, moved = shop_file.read_text(encoding="utf-8"), {upload.written: upload.moved for upload in uploads}
    expected = read_document(shop_file)
    for source in _sources(expected):
        if "path" in source:
            source["path"] = moved.get(source["path"], source["path"])
    for old, new in moved.items():
        for quoted in (f'"{old}"', f"'{old}'"):
            text = text.replace(quoted, json.dumps(new, ensure_ascii=False))
    if tomllib.loads(text) != expected:
        raise ConfigurationError(f"{shop_file}: a source's path is written with escapes; write it between '…' instead")
    return text


def _sources(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the sources of a shop file as they are written there."""
    for section in (*document["events"], *document.values()):
        if isinstance(section, dict) and "source" in section:
            yield section["source"]


def _is_local(source: dict[str, Any], shop_file: Path) -> bool:
    if str(source.get("url", "")).startswith(SQLITE):
        raise ConfigurationError(
            f"{shop_file}: found {source['url']}, expected a source that pods can reach; export it as Parquet"
        )
    return "path" in source and "://" not in source["path"]


def _upload(source: dict[str, Any], shop_file: Path, target: BucketPath) -> Upload:
    folder = {"folder": shop_file.resolve().parent}
    parsed = TypeAdapter(FileSource | DeltaSource).validate_python(source, context=folder)
    path = Path(os.path.normpath(locate(shop_file.name, parsed.path)))
    below = PurePath(os.path.normpath(source["path"].removeprefix(PACKAGE)))
    parts = [part for part in below.parts if part not in ("/", "..")]
    root = Path(*path.parts[: len(path.parts) - len(parts)])
    files = {target / file.relative_to(root).as_posix(): file for file in _files(parsed, path, shop_file)}
    return Upload(source["path"], "/".join([str(target), *parts]), files)


def _files(source: FileSource | DeltaSource, path: Path, shop_file: Path) -> list[Path]:
    if isinstance(source, FileSource):
        source = source.model_copy(update={"path": str(path)})
        return [file.path for file in source_files(shop_file.name, source).data]
    if not (path / LOG).is_dir():
        raise SourceError(f"{shop_file.name}: found no Delta table at {path}; correct `source.path` in the shop file")
    return [file for file in path.rglob("*") if file.is_file()]
