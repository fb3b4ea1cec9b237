"""Carry over a home of the earlier layout: sets as folders of hard links, a symbolic link to the current one."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from components.features.snapshots.pool import POOL, PoolFile, content_name, day_name
from components.features.snapshots.sets import (
    SETS,
    files_as_json,
    read_manifests,
    write_current,
    write_manifest,
)
from components.home.disk.durable import make_folder_durably, move_durably, remove_folder
from components.home.storage.cache import sha256_of
from components.home.storage.locations import Location

DESCRIPTION, CURRENT_LINK = "set.json", "current"


def carry_over(features: Location) -> None:
    """Write a manifest for each set folder, then remove the folders; nothing is computed, and all digests stay.

    After a kill at any moment, the next call finishes the work. No other process may write there.
    """
    if not isinstance(features, Path) or not (features / SETS).is_dir():
        return
    for folder in _set_folders(features):
        with suppress(ValueError, KeyError, FileNotFoundError):  # an incomplete set: it is built again
            _write_manifest(features, folder)
    manifests, current = read_manifests(features), features / CURRENT_LINK
    if current.is_symlink():
        if current.readlink().name in manifests:
            write_current(features, current.readlink().name)
        current.unlink()
    for folder in _set_folders(features):
        remove_folder(folder)


def _set_folders(features: Path) -> list[Path]:
    """Return the set folders: drafts of killed runs first, then oldest first."""
    return sorted((path for path in (features / SETS).iterdir() if path.is_dir()), key=_age)


def _age(folder: Path) -> float:
    with suppress(FileNotFoundError):
        return (folder / DESCRIPTION).stat().st_mtime
    return 0.0


def _write_manifest(features: Path, folder: Path) -> None:
    manifests = read_manifests(features)
    if folder.name.startswith(".") or folder.name in manifests:
        return
    document: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text())
    days = [datetime.fromisoformat(day) for day in document["days"]]
    views = [path.name for path in sorted(folder.iterdir()) if path.is_dir()]
    files = {
        (view, day): _pooled(features / POOL, f"{document['revision']}/{view}", day, folder / view)
        for view in views
        for day in days
    }
    number = 1 + max((each["number"] for each in manifests.values()), default=0)
    write_manifest(features, folder.name, {**document, "number": number, "files": files_as_json(files)})


def _pooled(pool: Path, group: str, day: datetime, snapshots: Path) -> PoolFile:
    """Return the pool's name of a set's file; copy the file there if the pool lacks it."""
    file = snapshots / f"{day_name(day)}.parquet"
    digest = sha256_of(file)
    name = next(_equal_files(pool, group, day, file, digest), content_name(f"{group}/{day_name(day)}-", digest))
    if not (pool / name).exists():
        make_folder_durably(pool / group)
        draft = (pool / group) / f".{Path(name).name}.{os.getpid()}"
        shutil.copyfile(file, draft)
        move_durably(draft, pool / name)
    return PoolFile(name, digest)


def _equal_files(pool: Path, group: str, day: datetime, file: Path, digest: str) -> Iterator[str]:
    """Yield the names of pool files that are the same file, or have the same content."""
    for path in sorted((pool / group).glob(f"{day_name(day)}-*.parquet")):
        if path.samefile(file) or sha256_of(path) == digest:
            yield f"{group}/{path.name}"
