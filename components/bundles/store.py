"""The store of sealed bundles, in BentoML's own layout: its model store in a folder home, objects in a bucket.

A folder home's ``models`` is a ``BENTOML_HOME``, so that BentoML's tools list, export and serve its bundles; a bundle
is the model ``rankloop_<shop>:<start of its digest>``. BentoML's own ``save`` copies file by file into place and
reports usage over the network. Here the folder is finished beside the store and renamed into it, and nothing is
reported.

In a bucket a bundle is a folder of objects, and is read through a copy on this machine. Its sidecar, signature and
provenance, which may be written again, are documents among them; ``latest`` is one beside them.
"""

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from components.bundles.digest import PREFIX, short
from components.bundles.loading import Bundle, bundle_folder, open_bundle
from components.bundles.manifest import DOCUMENTS, SIDECAR, SIGNATURE, Manifest, read_manifest
from components.bundles.sidecar import Sidecar, sidecar_bytes
from components.contracts.errors import BundleError, ConfigurationError, UnverifiedBundleError
from components.home.disk.durable import move_folder_durably, write_durably
from components.home.storage import objects
from components.home.storage.cache import object_cache
from components.home.storage.documents import list_names, read_document, replace_document, write_document
from components.home.storage.locations import Location

LATEST = "latest"


class Signs(Protocol):
    """Who signs bundles: ``components/bundles/signing/signer.py``."""

    def documents(
        self, bundle: Bundle, name: str, sidecar: Sidecar, published: Mapping[str, bytes | None]
    ) -> dict[str, bytes]:
        """Return the signature, the provenance and the sidecar of a bundle, in the order in which to write them."""


def model_name(shop: str) -> str:
    """Name of a shop's models in the store."""
    return f"rankloop_{shop}"


def bundle_name(bundle: Bundle) -> str:
    """Return the name of a bundle in the store, a BentoML tag."""
    return f"{model_name(bundle.manifest.shop)}:{short(bundle.digest)}"


def bundles_of(models: Location, shop: str) -> Location:
    """Return where the bundles of a shop lie, and the document ``latest``."""
    return models / "models" / model_name(shop)


def bundle_place(models: Location, shop: str, digest: str) -> Location:
    """Return the location of one bundle."""
    return bundles_of(models, shop) / short(digest)


def publish_folder(models: Location, draft: Bundle, sidecar: Sidecar, signer: Signs | None = None) -> Bundle:
    """Seal a draft in the store and make it the latest; one that is already there only gets the new documents.

    Raises:
        BundleError: the draft changed since it was judged, or the store holds other content under its name.
        ConfigurationError: it is there, signed, and this time nobody signs.
    """
    if sidecar.digest != draft.digest:
        raise BundleError(f"the sidecar names {sidecar.digest}, the draft is {draft.digest}; evaluate the draft again")
    place = bundle_place(models, draft.manifest.shop, draft.digest)
    if objects.has_folder(place):
        open_bundle(local_copy(place), draft.digest)
        _write_documents(place, _documents(draft, sidecar, signer, place))
    else:
        with _staging(models) as staging:
            _fill(staging, draft, _documents(draft, sidecar, signer, place))
            _publish(staging, place)
    point_latest(models, draft.manifest.shop, draft.digest)
    return open_bundle(local_copy(place), draft.digest)


def _documents(draft: Bundle, sidecar: Sidecar, signer: Signs | None, place: Location) -> dict[str, bytes]:
    """Return what lies beside the files under the digest, in the order in which to write it."""
    published = {name: read_document(place / name) for name in DOCUMENTS}
    if signer is not None:
        return signer.documents(draft, bundle_name(draft), sidecar, published)
    if published.get(SIGNATURE) is not None:
        raise ConfigurationError(
            f"{place}: is published and signed, and this run has no key to sign it with again; mount the key, and name"
            " its file in RANKLOOP_SIGNING_KEY"
        )
    return {SIDECAR: sidecar_bytes(sidecar)}


def _write_documents(place: Location, documents: Mapping[str, bytes]) -> None:
    for name, content in documents.items():
        write_document(place / name, content)


def point_latest(models: Location, shop: str, digest: str) -> None:
    """Make a published bundle the one that is called ``latest``."""
    replace_document(bundles_of(models, shop) / LATEST, short(digest).encode())


def find_bundle(models: Location, shop: str, reference: str) -> Bundle:
    """Open a published bundle by its digest, by the first digits of it, or the last one published by ``latest``.

    Raises:
        BundleError: none, or more than one, is called that; or it was tampered with.
    """
    place = find_place(models, shop, reference)
    bundle = open_bundle(local_copy(place))
    named = place.name if reference == LATEST else max(place.name, reference.removeprefix(PREFIX), key=len)
    if not bundle.digest.removeprefix(PREFIX).startswith(named):
        raise UnverifiedBundleError(
            f"{place}: found content with digest {bundle.digest}, expected {named}; `rankloop run` puts it back"
        )
    return bundle


def find_place(models: Location, shop: str, reference: str) -> Location:
    """Return where a bundle lies that is called so, without looking into it.

    Raises:
        BundleError: none, or more than one, is called that.
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
    return store / matches[0]


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


def local_copy(place: Location) -> Path:
    """Return a bundle's folder on this machine: itself, or a copy of its objects with the current documents."""
    folder = bundle_folder(place)
    if not isinstance(place, Path):
        with object_cache().readable_errors():
            for name in DOCUMENTS:
                _copy_document(place / name, folder / name)
    return folder


def _copy_document(place: Location, copy: Path) -> None:
    content = read_document(place)
    if content is None:
        copy.unlink(missing_ok=True)
    else:
        write_durably(copy, content)


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


def _fill(staging: Path, draft: Bundle, documents: Mapping[str, bytes]) -> None:
    for name, content in {**draft.content, **documents}.items():
        (staging / name).write_bytes(content)
    _describe_to_bentoml(staging, draft)


def _publish(staging: Path, place: Location) -> None:
    """Publish a finished folder; in a bucket, the documents are apart from the objects that never change."""
    if isinstance(place, Path):
        move_folder_durably(staging, place)
        return
    documents = {name: (staging / name).read_bytes() for name in list_names(staging) if name in DOCUMENTS}
    _write_documents(place, documents)
    for name in documents:
        (staging / name).unlink()
    objects.publish_folder(staging, place)


def _describe_to_bentoml(staging: Path, draft: Bundle) -> None:
    """Write ``model.yaml``, which makes the folder a BentoML model."""
    from bentoml.models import Model, ModelContext

    model = Model.create(
        bundle_name(draft),
        module="",
        api_version="v1",
        signatures={},
        labels={"kind": draft.manifest.kind, "shop": draft.manifest.shop},
        metadata={"digest": draft.digest},
        context=ModelContext(framework_name="xgboost", framework_versions={}),
    )
    model.flush()
    shutil.copyfile(Path(model.path) / "model.yaml", staging / "model.yaml")
