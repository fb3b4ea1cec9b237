"""Immutable sets of snapshots, which Feast reads: a manifest names the pool file of each view and day.

::

    features/pool/<revision>/<view>/<day>-<rows>.parquet   the rows, shared by all sets
    features/sets/<digest>.json                            a manifest
    features/current.json                                  which of them is the current one
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components.contracts.errors import FeatureError
from components.contracts.handles import Handle
from components.features.settings import FeatureSettings, parse_feature_settings
from components.features.snapshots.pool import POOL, PoolFile, pool_file, pool_names, sync_names
from components.home.storage.documents import (
    list_names,
    read_document,
    remove_documents,
    replace_document,
    write_document,
)
from components.home.storage.locations import Location, parse_location
from components.home.storage.objects import fetch_file

ENTITIES = {"user_features": "user_id", "item_features": "item_id"}  # the column that names a view's entities
VIEWS = tuple(ENTITIES)
SETS, CURRENT, MANIFEST = "sets", "current.json", ".json"
KEPT_SETS = 4  # older ones can be built again from the Delta versions they name
Snapshots = Mapping[tuple[str, datetime], PoolFile]  # by view and day


@dataclass(frozen=True)
class SetDescription:
    """What a set was computed from."""

    project: str
    revision: str
    settings: FeatureSettings
    ttl_days: int
    snapshot_days: int
    as_of: datetime
    days: tuple[datetime, ...]
    versions: dict[str, int]  # Delta versions of the clean tables


@dataclass(frozen=True)
class FeatureSet(SetDescription):
    """A set in a home's ``features``; ``digest`` names its manifest."""

    features: Location
    digest: str
    files: Snapshots

    @property
    def manifest(self) -> Location:
        """Return where its manifest lies."""
        return manifest_of(self.features, self.digest)

    def path(self, view: str, day: datetime) -> Path:
        """Return the Parquet file of a view's snapshot, as a file of this machine.

        Raises:
            FeatureError: it is gone.
        """
        file = self.files[view, day]
        try:
            return fetch_file(self.features / POOL / file.name, file.digest)
        except FileNotFoundError as error:
            raise _missing_file(self, file.name) from error

    def ids(self, view: str, day: datetime) -> pa.Array:
        """Return the entities that a view's snapshot has a row of."""
        entity = ENTITIES[view]
        return pq.read_table(self.path(view, day), columns=[entity], partitioning=None)[entity].combine_chunks()

    def newest(self, view: str) -> Path:
        """Return the Parquet file of a view at the as-of."""
        return self.path(view, self.days[-1])


def manifest_of(features: Location, digest: str) -> Location:
    """Return where a set's manifest lies."""
    return features / SETS / f"{digest}{MANIFEST}"


def open_set(handle: Handle) -> FeatureSet:
    """Open the set that a handle names.

    Raises:
        FeatureError: it is gone, or other feature definitions wrote it.
    """
    manifest = parse_location(handle.uri)  # earlier runs named a folder: the same, without the ending
    return read_set(manifest.parent.parent, manifest.name.removesuffix(MANIFEST))


def current_set(features: Location) -> FeatureSet:
    """Open the current set.

    Raises:
        FeatureError: there is none, or other feature definitions wrote it.
    """
    digest = current_digest(features)
    if digest is None:
        raise FeatureError(f"{features / CURRENT}: found no feature set; {_how_to_fix(features, 'current')}")
    return read_set(features, digest)


def current_digest(features: Location) -> str | None:
    """Return the digest of the current set; None before the first, or where the document cannot be read."""
    document = _parsed(read_document(features / CURRENT))
    return document.get("set")


def read_set(features: Location, digest: str) -> FeatureSet:
    """Read a set's manifest.

    Raises:
        FeatureError: there is none, or other feature definitions wrote it.
    """
    location = manifest_of(features, digest)
    document = read_document(location)
    if document is None:
        raise FeatureError(f"{location}: found no feature set; {_how_to_fix(features, f'{SETS}/{digest}')}")
    try:
        return _set_of(features, digest, json.loads(document))
    except (KeyError, TypeError, ValueError) as error:
        raise FeatureError(
            f"{location}: was written by other feature definitions ({error}); `rankloop run` builds them again"
        ) from error


def check_files(feature_set: FeatureSet) -> None:
    """Check that every file of a set is there.

    Raises:
        FeatureError: one is gone.
    """
    missing = sorted(
        {file.name for file in feature_set.files.values()}.difference(pool_names(feature_set.features / POOL))
    )
    if missing:
        raise _missing_file(feature_set, missing[0])


def _missing_file(feature_set: FeatureSet, name: str) -> FeatureError:
    return FeatureError(
        f"{feature_set.features / POOL / name}: found no file, and feature set {feature_set.digest} names it; "
        "`rankloop run` builds it again"
    )


def _how_to_fix(features: Location, older: str) -> str:
    if isinstance(features, Path) and (features / older).exists():
        return "the home has the layout of an earlier Rankloop; `rankloop run` carries it over"
    return "`rankloop run` builds features"


def _set_of(features: Location, digest: str, document: dict[str, Any]) -> FeatureSet:
    return FeatureSet(
        project=document["project"],
        revision=document["revision"],
        settings=parse_feature_settings(document["shape"]),
        ttl_days=document["ttl_days"],
        snapshot_days=document["snapshot_days"],
        as_of=datetime.fromisoformat(document["as_of"]),
        days=tuple(datetime.fromisoformat(day) for day in document["days"]),
        versions=document["versions"],
        features=features,
        digest=digest,
        files={
            (view, datetime.fromisoformat(day)): PoolFile(**file)
            for view, days in document["files"].items()
            for day, file in days.items()
        },
    )


def write_set(features: Location, description: SetDescription, snapshots: Snapshots) -> FeatureSet:
    """Write a set's manifest under its digest, after its files were written; keep an equal one that exists."""
    content = _as_json(description)
    names = sorted(f"{view}/{Path(file.name).name}" for (view, _), file in snapshots.items())
    key = json.dumps([{**content, "versions": None}, names], sort_keys=True)
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    manifests = read_manifests(features)
    files = files_as_json(snapshots)
    if manifests.get(digest, {}).get("files") != files:
        sync_names(features / POOL, [file.name for file in snapshots.values()])
        number = 1 + max((document["number"] for document in manifests.values()), default=0)
        write_manifest(features, digest, {**content, "number": number, "files": files})
    return read_set(features, digest)


def _as_json(description: SetDescription) -> dict[str, Any]:
    content = {field.name: getattr(description, field.name) for field in fields(SetDescription)}
    return content | {
        "shape": asdict(content.pop("settings")),
        "as_of": description.as_of.isoformat(),
        "days": [day.isoformat() for day in description.days],
    }


def files_as_json(snapshots: Snapshots) -> dict[str, dict[str, dict[str, str]]]:
    """Return pool files as a manifest lists them: by view and day."""
    files: dict[str, dict[str, dict[str, str]]] = {}
    for (view, day), file in sorted(snapshots.items()):
        files.setdefault(view, {})[day.isoformat()] = asdict(file)
    return files


def write_manifest(features: Location, digest: str, document: Mapping[str, Any]) -> None:
    """Write a manifest, or replace it."""
    write_document(manifest_of(features, digest), json.dumps(document, indent=1, sort_keys=True).encode())


def read_manifests(features: Location) -> dict[str, dict[str, Any]]:
    """Read all manifests by digest, also those of other feature definitions; skip documents that are no manifests."""
    names = [name for name in list_names(features / SETS) if name.endswith(MANIFEST) and not name.startswith(".")]
    documents = {name.removesuffix(MANIFEST): _parsed(read_document(features / SETS / name)) for name in names}
    return {digest: document for digest, document in documents.items() if {"number", "files"} <= document.keys()}


def _parsed(content: bytes | None) -> dict[str, Any]:
    """Read a JSON object; an empty one where the content is not one."""
    try:
        document = json.loads(content or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def pool_files(manifest: Mapping[str, Any]) -> dict[str, PoolFile]:
    """Return the pool files of a manifest by name, also of one that other feature definitions wrote."""
    files = [PoolFile(**file) for days in manifest["files"].values() for file in days.values()]
    return {file.name: file for file in files}


def pooled_files(features: Location, names: Collection[str]) -> dict[str, PoolFile]:
    """Return the named files that are in the pool, by name; compute a digest that no manifest has."""
    known: dict[str, PoolFile] = {}
    for manifest in read_manifests(features).values():
        known |= pool_files(manifest)
    present = set(pool_names(features / POOL)).intersection(names)
    return {name: known.get(name) or pool_file(features / POOL, name) for name in present}


def point_current(feature_set: FeatureSet, allow_earlier: bool = False) -> bool:
    """Make a set the current one, unless the current one is of a later as-of; True if it changed.

    allow_earlier: also where the current set is of a later as-of.
    """
    if current_digest(feature_set.features) == feature_set.digest or (
        not allow_earlier and _current_is_later(feature_set)
    ):
        return False
    write_current(feature_set.features, feature_set.digest)
    return True


def write_current(features: Location, digest: str) -> None:
    """Name the current set."""
    replace_document(features / CURRENT, json.dumps({"set": digest}).encode())


def _current_is_later(feature_set: FeatureSet) -> bool:
    """Return whether this code can read the current set and it is of a later as-of."""
    try:
        return current_set(feature_set.features).as_of > feature_set.as_of
    except FeatureError:
        return False


def prune_sets(features: Location, keep: str | None = None) -> set[str]:
    """Remove old sets, but keep the newest KEPT_SETS, the current one and ``keep``; return the pool files in use."""
    manifests = read_manifests(features)
    newest = sorted(manifests, key=lambda digest: manifests[digest]["number"], reverse=True)[:KEPT_SETS]
    kept = {*newest, keep, current_digest(features)}
    remove_documents(manifest_of(features, digest) for digest in manifests.keys() - kept)
    return {name for digest in manifests.keys() & kept for name in pool_files(manifests[digest])}
