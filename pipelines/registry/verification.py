"""Verifying an image by keys alone: its signature, its provenance and the list of its packages."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.bundles.signing.keys import PublicKey
from components.bundles.signing.origin import LOCK
from components.bundles.signing.verification import Check, Verification
from components.contracts.errors import RankloopError, UnverifiedBundleError
from components.contracts.images import NOT_PUSHED
from pipelines.registry.attestations import verify_attestation
from pipelines.registry.built_image import read_image
from pipelines.registry.client import Registry
from pipelines.registry.signatures import verify_signature

PROVENANCE = "https://slsa.dev/provenance/v1"
PACKAGES = "https://cyclonedx.org/bom"
SHOWN = 12


def verify_image(registry: Registry, digest: str, keys: Sequence[PublicKey]) -> Verification:
    """Verify an image, each of its documents on its own; what cannot be looked at has not passed."""

    def signature() -> str:
        return f"signed with the key {verify_signature(registry, digest, keys)}"

    def provenance() -> str:
        predicate, key = verify_attestation(registry, digest, keys, PROVENANCE)
        image = read_image(registry, digest)
        made_of = _made_of(predicate)
        if made_of["code"] != image.revision:
            raise UnverifiedBundleError(f"was made for the revision {made_of['code']}; its label says {image.revision}")
        parts = ", ".join(f"{name} {hexadecimal[:SHOWN]}" for name, hexadecimal in made_of.items())
        buildkit = f"; BuildKit attests {', '.join(image.statements)}" if image.statements else ""
        return f"made of {parts}; signed with the key {key}{buildkit}"

    def packages() -> str:
        predicate, key = verify_attestation(registry, digest, keys, PACKAGES)
        return (
            f"{len(predicate['components'])} packages (CycloneDX {predicate['specVersion']}); signed with the key {key}"
        )

    if digest == NOT_PUSHED:
        reason = "has not been pushed: its digest is zeros; `make images` with REGISTRY pushes it"
        return Verification(f"{registry.name}@{digest}", (Check("image", False, reason),))
    checks = {"signature": signature, "provenance": provenance, "packages": packages}
    return Verification(f"{registry.name}@{digest}", tuple(_check(name, verify) for name, verify in checks.items()))


def _made_of(predicate: Mapping[str, Any]) -> dict[str, str]:
    """Return the digests of an image's code, lock and base, by name."""
    parts = {part["name"]: part["digest"] for part in predicate["buildDefinition"]["resolvedDependencies"]}
    return {"code": parts["code"]["gitCommit"], LOCK: parts[LOCK]["sha256"], "base": parts["base"]["sha256"]}


def _check(name: str, verify: Callable[[], str]) -> Check:
    try:
        return Check(name, True, verify())
    except RankloopError as error:
        return Check(name, False, str(error))
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        return Check(name, False, f"is not of the form that `rankloop sign-images` writes ({error!r})")
