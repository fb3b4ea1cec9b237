"""The store of sealed bundles, in BentoML's own layout: its model store in a folder home, objects in a bucket.

A folder home's ``models`` is a ``BENTOML_HOME``, so that BentoML's tools list, export and serve its bundles; a bundle
is the model ``rankloop_<shop>:<start of its digest>``. BentoML's own ``save`` copies file by file into place and
reports usage over the network. Here the folder is finished beside the store and renamed into it, and nothing is
reported.

In a bucket a bundle is a folder of objects, and is read through a copy on this machine. Its sidecar, which may be
written again, is a document among them; ``latest`` is one beside them.
"""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from components.bundles.digest import PREFIX, folder_digest, sealed_files, short
from components.bundles.loading import Bundle, bundle_folder, open_bundle
from components.bundles.manifest import SIDECAR, Manifest, read_manifest
from components.bundles.sidecar import Sidecar, sidecar_bytes
from components.contracts.errors import BundleError
from components.home.disk.durable import move_folder_durably, write_durably
from components.home.storage import objects
from components.home.storage.cache import object_cache
from components.home.storage.documents import list_names, read_document, replace_document, write_document
from components.home.storage.locations import Location

LATEST = "latest"


def model_name(shop: str) -> str:
    """Name of a shop's models in the store."""
    return f"rankloop_{shop}"


def bundles_of(models: Location, shop: str) -> Location:
    """Return where the bundles of a shop lie, and the document ``latest``."""
    return models / "models" / model_name(shop)


def bundle_place(models: Location, shop: str, digest: str) -> Location:
    """Return the location of one bundle."""
    return bundles_of(models, shop) / short(digest)


def publish_folder(models: Location, draft: Bundle, sidecar: Sidecar) -> Bundle:
    """Seal a draft in the store and make it the latest; a bundle that is already there only gets the new sidecar.

    Raises:
        BundleError: the draft changed since it was judged, or the store holds other content under its name.
    """
    if sidecar.digest != draft.digest:
        raise BundleError(f"the sidecar names {sidecar.digest}, the draft is {draft.digest}; evaluate the draft again")
    place = bundle_place(models, draft.manifest.shop, draft.digest)
    if objects.has_folder(place):
        open_bundle(_local(place), draft.digest)
        write_document(place / SIDECAR, sidecar_bytes(sidecar))
    else:
        with _staging(models) as staging:
            _fill(staging, draft, sidecar)
            _publish(staging, place)
    point_latest(models, draft.manifest.shop, draft.digest)
    return open_bundle(_local(place), draft.digest)


def point_latest(models: Location, shop: str, digest: str) -> None:
    """Make a published bundle the one that is called ``latest``."""
    replace_document(bundles_of(models, shop) / LATEST, short(digest).encode())


def find_bundle(models: Location, shop: str, reference: str) -> Bundle:
    """Open a published bundle by its digest, by the first digits of it, or the last one published by ``latest``.

    Raises:
        BundleError: none, or more than one, is called that; or it was tampered with.
    """
    store = bundles_of(models, shop)
    wanted = _latest(store) if reference == LATEST else short(reference)
    published = published_names(models, shop)
    matches = [name for name in published if wanted and name.startswith(wanted)]
    if len(matches) != 1:
        known = ", ".join(published)
        advice = f"{known}; name one of these" if known else "none"
        raise BundleError(
            f"{store}: found {len(matches)} bundles for {reference!r}, expected one; published are: {advice};"
            " `rankloop run` publishes one, and puts back what is lost"
        )
    [name] = matches
    bundle = open_bundle(_local(store / name))
    named = name if reference == LATEST else max(name, reference.removeprefix(PREFIX), key=len)
    if not bundle.digest.removeprefix(PREFIX).startswith(named):
        raise BundleError(
            f"{store / name}: found content with digest {bundle.digest}, expected {named}; `rankloop run` puts it back"
        )
    return bundle


def published_names(models: Location, shop: str) -> list[str]:
    """Return the names of all published bundles of a shop, sorted: the starts of their digests."""
    return objects.folders_in(bundles_of(models, shop))


def published_manifests(models: Location, shop: str) -> Iterator[Manifest]:
    """Read the manifests of all published bundles of a shop.

    Raises:
        BundleError: one cannot be read.
    """
    for name in published_names(models, shop):
        yield read_manifest(bundles_of(models, shop) / name)


def check_stored(models: Location, bundle: Bundle) -> None:
    """Check that the store still has each file of an opened bundle, whose copy on this machine may hide a loss.

    Raises:
        BundleError: it has not.
    """
    place = bundle_place(models, bundle.manifest.shop, bundle.digest)
    lost = set(list_names(bundle.folder)) - set(list_names(place))
    if lost:
        raise BundleError(f"{place}: {', '.join(sorted(lost))} of it is gone; `rankloop run` puts it back")


def _latest(store: Location) -> str:
    return (read_document(store / LATEST) or b"").decode(errors="replace").strip()


def _local(place: Location) -> Path:
    """Return a bundle's folder on this machine: itself, or a copy of its objects with the current sidecar."""
    folder = bundle_folder(place)
    if not isinstance(place, Path):
        with object_cache().readable_errors():
            write_durably(folder / SIDECAR, read_document(place / SIDECAR) or b"")
    return folder


@contextmanager
def _staging(models: Location) -> Iterator[Path]:
    """Yield an empty folder, on the store's own disk if it has one; remove what a killed run left."""
    if not isinstance(models, Path):
        with TemporaryDirectory(prefix="rankloop-bundle-") as scratch:
            staging = Path(scratch) / "bundle"
            staging.mkdir()
            yield staging
        return
    tmp = models / "tmp"
    shutil.rmtree(tmp, ignore_errors=True)
    staging = tmp / uuid.uuid4().hex
    staging.mkdir(parents=True)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fill(staging: Path, draft: Bundle, sidecar: Sidecar) -> None:
    for name in sealed_files(draft.manifest):
        shutil.copyfile(draft.folder / name, staging / name)
    (staging / SIDECAR).write_bytes(sidecar_bytes(sidecar))
    _describe_to_bentoml(staging, draft)
    if folder_digest(staging) != draft.digest:
        raise BundleError(
            f"{draft.folder}: the draft changed while it was published; nothing was published, run `rankloop run` again"
        )


def _publish(staging: Path, place: Location) -> None:
    """Publish a finished folder; in a bucket, the sidecar is apart from the objects that never change."""
    if isinstance(place, Path):
        move_folder_durably(staging, place)
        return
    write_document(place / SIDECAR, (staging / SIDECAR).read_bytes())
    (staging / SIDECAR).unlink()
    objects.publish_folder(staging, place)


def _describe_to_bentoml(staging: Path, draft: Bundle) -> None:
    """Write ``model.yaml``, which makes the folder a BentoML model."""
    from bentoml.models import Model, ModelContext

    model = Model.create(
        f"{model_name(draft.manifest.shop)}:{short(draft.digest)}",
        module="",
        api_version="v1",
        signatures={},
        labels={"kind": draft.manifest.kind, "shop": draft.manifest.shop},
        metadata={"digest": draft.digest},
        context=ModelContext(framework_name="xgboost", framework_versions={}),
    )
    model.flush()
    shutil.copyfile(Path(model.path) / "model.yaml", staging / "model.yaml")
