"""Signing a bundle as it is published."""

from collections.abc import Mapping
from dataclasses import dataclass

from components.bundles.digest import digests_of
from components.bundles.loading import Bundle
from components.bundles.manifest import PROVENANCE, SIDECAR, SIGNATURE
from components.bundles.sidecar import Sidecar, sidecar_bytes
from components.bundles.signing.keys import SigningKey
from components.bundles.signing.model_signature import check_signature, signature_bytes
from components.bundles.signing.origin import Origin
from components.bundles.signing.provenance import line_about, provenance_line
from components.contracts.errors import UnverifiedBundleError


@dataclass(frozen=True)
class Signer:
    """A key, and what is known of the code that runs here."""

    key: SigningKey
    origin: Origin

    def documents(
        self, bundle: Bundle, name: str, sidecar: Sidecar, published: Mapping[str, bytes | None]
    ) -> dict[str, bytes]:
        """Return the signature, the provenance and the sidecar of a bundle, in the order in which to write them.

        ``published`` are those that it has, if it is published already. A signature that still holds is kept; the
        provenance keeps the line that goes with the sidecar which is there until it is replaced.
        """
        content = sidecar_bytes(sidecar)
        kept = line_about(published.get(PROVENANCE) or b"", published.get(SIDECAR) or b"")
        added = provenance_line(self.key, name, sidecar, content, self.origin)
        return {
            SIGNATURE: self._signature(bundle, name, published.get(SIGNATURE)),
            PROVENANCE: kept + added,
            SIDECAR: content,
        }

    def _signature(self, bundle: Bundle, name: str, published: bytes | None) -> bytes:
        files = digests_of(bundle.content)
        try:
            check_signature(published or b"", files, [self.key.public])
        except UnverifiedBundleError:
            return signature_bytes(self.key, name, files)
        assert published is not None
        return published
