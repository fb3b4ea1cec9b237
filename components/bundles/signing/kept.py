"""The signed documents of a published bundle, kept in the folder of the run that has published it.

A run that puts a lost bundle back writes these again. So it signs nothing that it has not made itself, whatever the
records of the home say by then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.bundles.digest import digests_of
from components.bundles.loading import Bundle
from components.bundles.manifest import PROVENANCE, SIDECAR, SIGNATURE
from components.bundles.sidecar import Sidecar
from components.bundles.signing.keys import PublicKey
from components.bundles.signing.model_signature import check_signature
from components.bundles.signing.provenance import check_provenance
from components.home.storage.documents import read_document, write_document
from components.home.storage.locations import Location

FOLDER = "bundle"
NAMES = (SIGNATURE, PROVENANCE, SIDECAR)  # in the order in which to write them


@dataclass(frozen=True)
class KeptDocuments:
    """Documents that were signed when a bundle was published."""

    content: Mapping[str, bytes]

    def check(self, bundle: Bundle, keys: Sequence[PublicKey]) -> None:
        """Check that one of the keys has signed this content, and this sidecar.

        Raises:
            UnverifiedBundleError: none has.
        """
        check_signature(self.content[SIGNATURE], digests_of(bundle.content), keys)
        check_provenance(self.content[PROVENANCE], bundle.digest, self.content[SIDECAR], keys)

    def documents(
        self, bundle: Bundle, name: str, sidecar: Sidecar, published: Mapping[str, bytes | None]
    ) -> dict[str, bytes]:
        """Return the documents as they were, in the order in which to write them."""
        return dict(self.content)


def keep_documents(run: Location, bundle: Bundle) -> None:
    """Keep what is beside a bundle in the folder of the run that has published it."""
    for name in NAMES:
        write_document(run / FOLDER / name, (bundle.folder / name).read_bytes())


def kept_documents(run: Location) -> KeptDocuments | None:
    """Return what a run has kept; None if it has published nothing that was signed."""
    content = {name: read_document(run / FOLDER / name) for name in NAMES}
    found = {name: document for name, document in content.items() if document is not None}
    return KeptDocuments(found) if len(found) == len(NAMES) else None
