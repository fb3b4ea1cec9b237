"""Drafting: laying a bundle's files out in a run's folder, before it is judged and sealed."""

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from components.bundles.digest import folder_digest
from components.bundles.loading import Bundle, bundle_folder, open_bundle
from components.bundles.manifest import MANIFEST, SIDECAR, SKETCHES, WARMUP, Manifest, manifest_bytes
from components.bundles.sidecar import Sidecar, sidecar_bytes
from components.bundles.warmup import Warmup, warmup_bytes
from components.home.disk.durable import replace_folder
from components.home.storage.locations import Location
from components.home.storage.objects import publish_folder, remove_folder


@dataclass(frozen=True)
class Draft:
    """A bundle's content; ``models`` is UBJSON by part name. The sidecar's digest is filled in when it is written."""

    manifest: Manifest
    models: Mapping[str, bytes]
    sketches: bytes
    warmup: Warmup
    sidecar: Sidecar


def write_draft(place: Location, draft: Draft) -> Bundle:
    """Write a draft's files, replacing an earlier draft in that place, and open it."""
    if isinstance(place, Path):
        return _write(place, draft)
    with TemporaryDirectory(prefix="rankloop-draft-") as scratch:
        remove_folder(place)
        publish_folder(_write(Path(scratch) / "draft", draft).folder, place)
    return open_bundle(bundle_folder(place))


def _write(folder: Path, draft: Draft) -> Bundle:
    files = {part.file: draft.models[part.name] for part in draft.manifest.blend}
    files |= {MANIFEST: manifest_bytes(draft.manifest), SKETCHES: draft.sketches, WARMUP: warmup_bytes(draft.warmup)}
    building = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
    try:
        building.mkdir(parents=True)
        for name, content in files.items():
            (building / name).write_bytes(content)
        sidecar = replace(draft.sidecar, digest=folder_digest(building))
        (building / SIDECAR).write_bytes(sidecar_bytes(sidecar))
        replace_folder(building, folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return open_bundle(folder)
