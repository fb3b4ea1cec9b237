"""Immutable sets of snapshots: what Feast reads. A set is a folder of hard links into the pool, and ``set.json``."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components.contracts.errors import FeatureError
from components.features.views.shape import Shape, shape_from
from components.home.durable import move_folder_durably, remove_folder

ENTITIES = {"user_features": "user_id", "item_features": "item_id"}  # the column that names a view's entities
VIEWS = tuple(ENTITIES)
CURRENT = "current"
KEPT_SETS = 4  # older ones can be built again from the Delta versions they name
Snapshots = Mapping[tuple[str, datetime], Path]  # pool file of a view and day


@dataclass(frozen=True)
class FeatureSet:
    """What a set folder holds."""

    folder: Path
    project: str
    revision: str
    shape: Shape
    ttl_days: int
    snapshot_days: int
    as_of: datetime
    days: tuple[datetime, ...]
    versions: dict[str, int]  # Delta versions of the clean tables it was computed from

    @property
    def digest(self) -> str:
        """Content address of the set."""
        return self.folder.name

    def path(self, view: str, day: datetime) -> Path:
        """The Parquet file of a view's snapshot."""
        return self.folder / view / f"{day_name(day)}.parquet"

    def ids(self, view: str, day: datetime) -> pa.Array:
        """The entities that a view's snapshot has a row of."""
        entity = ENTITIES[view]
        return pq.read_table(self.path(view, day), columns=[entity])[entity].combine_chunks()

    def newest(self, view: str) -> Path:
        """The Parquet file of a view at the as-of."""
        return self.path(view, self.days[-1])


def day_name(day: datetime) -> str:
    """A snapshot's moment as part of a file name, such as ``20170821T000000``."""
    return day.strftime("%Y%m%dT%H%M%S") + (f"{day.microsecond:06d}" if day.microsecond else "")


def read_set(folder: Path) -> FeatureSet:
    """Read a set's description.

    Raises:
        FeatureError: there is no set in the folder, or other feature definitions wrote it.
    """
    try:
        return _described(folder, json.loads((folder / "set.json").read_text()))
    except FileNotFoundError as error:
        raise FeatureError(f"{folder}: found no feature set (set.json); `rankloop run` builds features") from error
    except (KeyError, TypeError, ValueError) as error:
        raise FeatureError(
            f"{folder}: set.json was written by other feature definitions ({error}); `rankloop run` builds them again"
        ) from error


def _described(folder: Path, found: dict[str, Any]) -> FeatureSet:
    return FeatureSet(
        folder=folder.resolve(),
        project=found["project"],
        revision=found["revision"],
        shape=shape_from(found["shape"]),
        ttl_days=found["ttl_days"],
        snapshot_days=found["snapshot_days"],
        as_of=datetime.fromisoformat(found["as_of"]),
        days=tuple(datetime.fromisoformat(day) for day in found["days"]),
        versions=found["versions"],
    )


def write_set(sets: Path, description: FeatureSet, snapshots: Snapshots) -> FeatureSet:
    """Gather snapshots into a set folder under their digest, all at once; an equal set that exists is kept."""
    written = {**asdict(description), "folder": None, "as_of": description.as_of.isoformat()}
    written["days"] = [day.isoformat() for day in description.days]
    del written["folder"]
    names = sorted(f"{view}/{path.name}" for (view, _), path in snapshots.items())
    content = json.dumps([{**written, "versions": None}, names], sort_keys=True)
    folder = sets / hashlib.sha256(content.encode()).hexdigest()[:16]
    if not (folder / "set.json").exists():
        draft = sets / f".{folder.name}.{os.getpid()}"
        shutil.rmtree(draft, ignore_errors=True)
        for (view, day), path in snapshots.items():
            link(path, draft / view / f"{day_name(day)}.parquet")
        (draft / "set.json").write_text(json.dumps(written, indent=1, sort_keys=True))
        remove_folder(folder)  # the remains of a set whose description is gone
        move_folder_durably(draft, folder)
    return read_set(folder)


def link(source: Path, target: Path) -> None:
    """Hard-link a file, or copy it where the file system has no links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def point_current(features: Path, chosen: FeatureSet, also_back: bool = False) -> bool:
    """Point ``features/current`` at a set, atomically, unless it already shows a later as-of; True if it moved.

    also_back: point there also from a later one.
    """
    current = features / CURRENT
    if current.resolve() == chosen.folder or (not also_back and _shows_later(current, chosen.as_of)):
        return False
    draft = features / f".{CURRENT}.{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(os.path.relpath(chosen.folder, features))
    draft.replace(current)
    return True


def _shows_later(current: Path, as_of: datetime) -> bool:
    """Whether a set that this code can read stands at a later as-of."""
    try:
        return read_set(current).as_of > as_of
    except FeatureError:
        return False


def prune_sets(features: Path, keep: str | None = None) -> None:
    """Remove all but the newest few sets, and drafts of killed runs; never the current set nor the one to keep."""
    sets = features / "sets"
    kept = {keep, (features / CURRENT).resolve().name}
    folders = {path: (path / "set.json").exists() and not path.name.startswith(".") for path in sets.iterdir()}
    finished = sorted((path for path, whole in folders.items() if whole), key=_age, reverse=True)
    drafts = [path for path, whole in folders.items() if not whole]
    for folder in [*drafts, *(path for path in finished[KEPT_SETS:] if path.name not in kept)]:
        remove_folder(folder)


def _age(folder: Path) -> float:
    return (folder / "set.json").stat().st_mtime
