"""Open a bundle: check its digest, its parts and its warm-up rows before it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from components.bundles.digest import digest_of, digests_of, sealed_content
from components.bundles.manifest import MANIFEST, SKETCHES, WARMUP, Manifest, parse_manifest
from components.bundles.scoring import Ranker, ranker_from
from components.bundles.sidecar import Sidecar, parse_sidecar, sidecar_content
from components.bundles.warmup import check_answers, parse_warmup
from components.contracts.errors import BundleError, DamagedObjectError, UnverifiedBundleError
from components.contracts.handles import Handle
from components.home.storage.locations import Location, parse_location
from components.home.storage.objects import local_folder


@dataclass(frozen=True)
class Bundle:
    """A bundle whose content matches its digest.

    Its files were read once: what was verified is what is loaded, whatever happens to the folder meanwhile.
    """

    folder: Path
    digest: str
    manifest: Manifest
    sidecar: Sidecar
    content: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)  # files under the digest
    sidecar_content: bytes = field(default=b"", repr=False, compare=False)

    @property
    def sketches(self) -> bytes:
        """Reference sketches for drift, as they were written."""
        return self.content[SKETCHES]


def open_bundle(folder: Path, digest: str | None = None) -> Bundle:
    """Open a bundle and check its content against the digest that names it (by default its sidecar's).

    Raises:
        BundleError: the bundle is missing.
        UnverifiedBundleError: it is incomplete or was tampered with.
    """
    content = sealed_content(folder)
    actual = digest_of(digests_of(content))
    beside = sidecar_content(folder)
    sidecar = parse_sidecar(beside, folder)
    for expected in (digest or sidecar.digest, sidecar.digest):
        if actual != expected:
            raise UnverifiedBundleError(
                f"{folder}: found content with digest {actual}, expected {expected}: the bundle was changed after it"
                " was sealed; `rankloop run` puts it back, or promote another one"
            )
    return Bundle(folder, actual, parse_manifest(content[MANIFEST], folder), sidecar, content, beside)


def handed_bundle(handle: Handle) -> Bundle:
    """Open the bundle that a handle names.

    Raises:
        BundleError: the bundle is missing, incomplete or was tampered with.
    """
    return open_bundle(bundle_folder(parse_location(handle.uri)), handle.digest)


def bundle_folder(place: Location) -> Path:
    """Return a bundle's folder as one of this machine.

    Raises:
        UnverifiedBundleError: objects of it are gone or damaged.
    """
    try:
        return local_folder(place)
    except DamagedObjectError as error:
        raise UnverifiedBundleError(str(error)) from error


def load_ranker(bundle: Bundle, threads: int = 1, baseline_names: Sequence[str] | None = None) -> Ranker:
    """Load the ranker of an opened bundle and check its answers to the warm-up rows.

    ``threads`` changes how fast large batches are scored, never an answer; ``baseline_names`` as ``ranker_from``: a
    bundle of code that knew fewer rules is asked with the columns of this code.

    Raises:
        BundleError: the parts disagree, or a warm-up row is not answered as expected.
    """
    models = {part.name: bundle.content[part.file] for part in bundle.manifest.blend}
    ranker = ranker_from(bundle.manifest, models, threads)
    check_answers(ranker, parse_warmup(bundle.content[WARMUP], bundle.folder))
    is_rule = bundle.manifest.kind == "baseline" and baseline_names is not None
    return ranker_from(bundle.manifest, {}, threads, baseline_names) if is_rule else ranker


def check_revision(manifest: Manifest, feature_list: str, feature_revision: str) -> None:
    """Check that rows of this feature list and feature-store revision are those the bundle was made for.

    Raises:
        BundleError: they are not.
    """
    for what, made_for, found in (
        ("feature list", manifest.feature_list, feature_list),
        ("feature-store revision", manifest.feature_revision, feature_revision),
    ):
        if made_for != found:
            raise BundleError(
                f"the bundle was made for {what} {made_for}, found {found}; train and publish a bundle with this code,"
                " or go back to the code and feature store that the bundle names"
            )


def check_rankable(manifest: Manifest, feature_list: str, feature_revision: str) -> None:
    """Check that a bundle can rank rows of this code and feature-store revision: a simple rule looks at no feature.

    Raises:
        BundleError: it cannot.
    """
    check_revision(manifest, feature_list if manifest.kind == "ranker" else manifest.feature_list, feature_revision)
