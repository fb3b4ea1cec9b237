"""Trust: which keys an environment accepts, and whether a bundle may be unsigned there.

::

    RANKLOOP_VERIFY_KEYS    public keys: folders or files; without it, those that a folder home keeps itself, else, for
                            commands alone, that of RANKLOOP_SIGNING_KEY, which the service does not read
    RANKLOOP_SIGNATURES     required, or optional; without it required, apart from `local` without named keys

Where signatures are optional, a bundle that has one is verified all the same. One that has none is accepted in a home
that never had a key, and if it was published before the home had any.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from components.bundles.digest import short
from components.bundles.loading import Bundle
from components.bundles.manifest import PROVENANCE, SIGNATURE
from components.bundles.signing.home_key import KEY_VARIABLE, KEYS_VARIABLE, own_public_keys, published_before_signing
from components.bundles.signing.keys import PublicKey, parse_keys, read_public_keys, read_signing_key
from components.bundles.signing.verification import verify_opened
from components.contracts.errors import ConfigurationError, UnverifiedBundleError
from components.home.layout import Home

SIGNATURES_VARIABLE = "RANKLOOP_SIGNATURES"
REQUIRED, OPTIONAL = "required", "optional"
LOCAL = "local"


@dataclass(frozen=True)
class Trust:
    """The keys that are accepted; ``unsigned`` are names of bundles that may have no signature, None for all."""

    keys: tuple[PublicKey, ...]
    is_required: bool
    environment: str
    unsigned: frozenset[str] | None = frozenset()

    def check(self, bundle: Bundle) -> None:
        """Check an opened bundle's signature and provenance.

        Raises:
            UnverifiedBundleError: one of them is missing, foreign, or does not fit.
        """
        if self.accepts_unsigned(bundle.digest) and (not self.keys or not is_signed(bundle.folder)):
            return
        if not self.keys:
            raise UnverifiedBundleError(
                f"{bundle.folder}: {self.environment} accepts signed bundles only, and no key was named to verify them"
                f" with; set {KEYS_VARIABLE} to the public keys, a folder or files"
            )
        verify_opened(bundle, self.keys)

    def accepts_unsigned(self, digest: str) -> bool:
        """Return whether a bundle may have neither signature nor provenance."""
        return not self.is_required and (self.unsigned is None or short(digest) in self.unsigned)


def trust_of(home: Home, environment: str, verify_keys: tuple[Path, ...], signatures: str) -> Trust:
    """Return whom an environment of a home trusts; without ``verify_keys`` and ``signatures`` as said above.

    Raises:
        ConfigurationError: a key cannot be read.
    """
    is_required = signatures == REQUIRED if signatures else environment != LOCAL or bool(verify_keys)
    keys = read_public_keys(verify_keys) if verify_keys else own_public_keys(home)
    return Trust(keys, is_required, environment, published_before_signing(home))


def trust_here(home: Home, environment: str, variables: Mapping[str, str]) -> Trust:
    """Return whom an environment trusts, by the variables of this process.

    Raises:
        ConfigurationError: a variable's text is none of those expected, or a key cannot be read.
    """
    verify_keys = parse_keys(variables.get(KEYS_VARIABLE, ""))
    signatures = parse_signatures(SIGNATURES_VARIABLE, variables.get(SIGNATURES_VARIABLE, ""))
    trust = trust_of(home, environment, verify_keys, signatures)
    if trust.keys or not variables.get(KEY_VARIABLE):
        return trust
    return replace(trust, keys=(read_signing_key(Path(variables[KEY_VARIABLE])).public,))


def parse_signatures(variable: str, text: str) -> str:
    """Read whether bundles must be signed; empty: as the environment says."""
    if text not in ("", REQUIRED, OPTIONAL):
        raise ConfigurationError(f"{variable}: found {text!r}, expected {REQUIRED} or {OPTIONAL}")
    return text


def is_signed(folder: Path) -> bool:
    """Return whether a bundle has a signature, or a provenance."""
    return (folder / SIGNATURE).exists() or (folder / PROVENANCE).exists()
