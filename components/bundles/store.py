"""The model store: sealed bundles in BentoML's own layout, so that BentoML's tools list, export and serve them.

A home's ``models`` folder is a ``BENTOML_HOME``; a bundle is the model ``rankloop_<shop>:<start of its digest>``.
BentoML's own ``save`` copies file by file into place and reports usage over the network. Here the folder is finished
beside the store and renamed into it, and nothing is reported.
"""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.bundles.digest import PREFIX, folder_digest, sealed_files, short
from components.bundles.loading import Bundle, open_bundle
from components.bundles.manifest import SIDECAR
from components.bundles.sidecar import Sidecar, sidecar_bytes, write_sidecar
from components.contracts.errors import BundleError
from components.home.durable import move_folder_durably, write_durably
from components.home.presence import content_of, names_in

LATEST = "latest"


def model_name(shop: str) -> str:
    """Name of a shop's models in the store."""
    return f"rankloop_{shop}"


def model_folder(models: Path, shop: str, digest: str) -> Path:
    """Folder of one bundle in the store under ``models`` (a ``BENTOML_HOME``)."""
    return models / "models" / model_name(shop) / short(digest)


def publish_folder(models: Path, draft: Bundle, sidecar: Sidecar) -> Bundle:
    """Seal a draft in the store and make it the latest; a bundle that is already there only gets the new sidecar.

    Raises:
        BundleError: the draft changed since it was judged, or the store holds other content under its name.
    """
    if sidecar.digest != draft.digest:
        raise BundleError(f"the sidecar names {sidecar.digest}, the draft is {draft.digest}; evaluate the draft again")
    target = model_folder(models, draft.manifest.shop, draft.digest)
    if target.exists():
        open_bundle(target, draft.digest)
        write_sidecar(target, sidecar)
    else:
        with _staging(models) as staging:
            _fill(staging, draft, sidecar)
            move_folder_durably(staging, target)
    point_latest(models, draft.manifest.shop, draft.digest)
    return open_bundle(target, draft.digest)


def point_latest(models: Path, shop: str, digest: str) -> None:
    """Make a published bundle the one that is called ``latest``."""
    target = model_folder(models, shop, digest)
    write_durably(target.parent / LATEST, target.name.encode())


def find_bundle(models: Path, shop: str, reference: str) -> Bundle:
    """Open a published bundle by its digest, by the first digits of it, or the last one published by ``latest``.

    Raises:
        BundleError: none, or more than one, is called that; or it was tampered with.
    """
    store = models / "models" / model_name(shop)
    wanted = _latest(store) if reference == LATEST else short(reference)
    published = published_folders(models, shop)
    found = [path for path in published if wanted and path.name.startswith(wanted)]
    if len(found) != 1:
        known = ", ".join(path.name for path in published)
        advice = f"{known}; name one of these" if known else "none"
        raise BundleError(
            f"{store}: found {len(found)} bundles for {reference!r}, expected one; published are: {advice};"
            " `rankloop run` publishes one, and puts back what is lost"
        )
    bundle = open_bundle(found[0])
    named = found[0].name if reference == LATEST else max(found[0].name, reference.removeprefix(PREFIX), key=len)
    if not bundle.digest.removeprefix(PREFIX).startswith(named):
        raise BundleError(
            f"{found[0]}: found content with digest {bundle.digest}, expected {named}; `rankloop run` puts it back"
        )
    return bundle


def published_folders(models: Path, shop: str) -> list[Path]:
    """Folders of all published bundles of a shop, by name."""
    store = models / "models" / model_name(shop)
    return [store / name for name in names_in(store) if (store / name).is_dir()]


def _latest(store: Path) -> str:
    return (content_of(store / LATEST) or b"").decode(errors="replace").strip()


@contextmanager
def _staging(models: Path) -> Iterator[Path]:
    """Yield a fresh folder on the store's own disk; what a killed run left there is removed."""
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
