"""The bundle's layout, and its manifest: everything that decides its answers, apart from the trees.

::

    <bundle>/manifest.json   Manifest
    <bundle>/rank.ubj        booster of the pairwise objective (kind ranker)
    <bundle>/logit.ubj       booster of the pointwise objective (kind ranker, when the blend has one)
    <bundle>/sketches.json   reference sketches for drift
    <bundle>/warmup.npz      feature rows and the scores expected of them, without user ids
    <bundle>/sidecar.json    Sidecar: verdict, metrics, times, data versions, code revision; outside the digest
    <bundle>/model.sig       who signed the files under the digest; outside it, as is the next
    <bundle>/provenance.intoto.jsonl   what it was made of, signed: run, tables, code, and the sidecar's digest
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from components.contracts.errors import BundleError, UnverifiedBundleError
from components.contracts.json_documents import closed, parse_json
from components.home.storage.documents import read_document
from components.home.storage.locations import Location
from components.shop.document import describe_mistakes
from components.shop.settings import Candidates, Rules

MANIFEST = "manifest.json"
SKETCHES = "sketches.json"
WARMUP = "warmup.npz"
SIDECAR = "sidecar.json"
SIGNATURE = "model.sig"
PROVENANCE = "provenance.intoto.jsonl"
DOCUMENTS = (SIDECAR, SIGNATURE, PROVENANCE)
"""What may be written again, in the order in which it is read: the sidecar, written last, before its provenance."""
FORMAT = 1


@closed
@dataclass(frozen=True)
class Part:
    """One booster of a blend: it adds ``weight * (margin - centre) / scale`` to the score."""

    name: str
    weight: float = 1.0
    centre: float = 0.0
    scale: float = 1.0

    @property
    def file(self) -> str:
        """Name of the booster's file."""
        return f"{self.name}.ubj"


@closed
@dataclass(frozen=True)
class Manifest:
    """The content and the requirements of a bundle: equal manifests and equal files give equal answers."""

    kind: Literal["ranker", "baseline"]
    shop: str
    horizon_days: int
    k: int
    feature_names: tuple[str, ...]
    feature_list: str  # hash of the ordered feature list and its version
    feature_revision: str  # revision of the feature views
    baseline_names: tuple[str, ...]
    baseline: str | None = None  # the one that answers, for kind baseline
    blend: tuple[Part, ...] = ()
    candidates: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def name(self) -> str:
        """Return the name to show: ``ranker``, or the baseline's name."""
        return self.baseline or self.kind


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return the manifest as canonical JSON: equal manifests have equal bytes."""
    return json.dumps(asdict(manifest), indent=1, sort_keys=True).encode()


def read_manifest(folder: Location) -> Manifest:
    """Read a bundle's manifest.

    Raises:
        UnverifiedBundleError: there is none, or it is unreadable.
        BundleError: it was written in another format, or it has limits or rules that are not known.
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    return parse_manifest(manifest_content(folder), folder)


def manifest_content(folder: Location) -> bytes:
    """Return the bytes of a bundle's manifest.

    Raises:
        UnverifiedBundleError: there is none, or it cannot be read.
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    try:
        content = read_document(folder / MANIFEST)
    except OSError as error:
        raise _unreadable(folder, error) from error
    if content is None:
        raise UnverifiedBundleError(
            f"{folder}: found no {MANIFEST}; expected a bundle; `rankloop run` puts it back, or makes one"
        )
    return content


def parse_manifest(content: bytes, folder: Location) -> Manifest:
    """Read the manifest of a bundle in a folder from its bytes.

    Raises:
        UnverifiedBundleError: it is unreadable.
        BundleError: it was written in another format, or it has limits or rules that are not known.
    """
    try:
        manifest = parse_json(Manifest, content)
    except ValueError as error:
        raise _unreadable(folder, error) from error
    if manifest.format != FORMAT:
        raise BundleError(
            f"{folder}: bundle format {manifest.format}, expected {FORMAT}; `rankloop run --again` makes another"
        )
    _check_settings(manifest, folder / MANIFEST)
    return manifest


def _unreadable(folder: Location, error: Exception) -> UnverifiedBundleError:
    return UnverifiedBundleError(f"{folder / MANIFEST}: unreadable ({error}); `rankloop run` puts the bundle back")


def _check_settings(manifest: Manifest, place: Location) -> None:
    """Check that what decides which items are ranked is known to this code."""
    for kind, settings in ((Candidates, manifest.candidates), (Rules, manifest.rules)):
        try:
            kind.model_validate(settings)
        except ValidationError as error:
            raise BundleError(
                f"{place}: {kind.__name__.lower()}: {describe_mistakes(error, kind)}; `rankloop run"
                " --again` makes another"
            ) from error
