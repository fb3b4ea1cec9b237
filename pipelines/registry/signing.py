"""Signing an image: its digest, what it was made of, and the list of its packages."""

from collections.abc import Mapping
from typing import Any

from components.bundles.signing.keys import SigningKey
from components.bundles.signing.origin import LOCK
from components.contracts.errors import ConfigurationError
from pipelines.registry.attestations import attest
from pipelines.registry.built_image import BuiltImage, read_contents, read_image
from pipelines.registry.client import Registry
from pipelines.registry.signatures import sign
from pipelines.registry.verification import PACKAGES, PROVENANCE, verify_image

BUILD_TYPE, BUILDER = "urn:rankloop:image:v1", "urn:rankloop:make-images"


def sign_image(name: str, key: SigningKey) -> bool:
    """Sign an image ``HOST/NAME@sha256:DIGEST`` and attest what it is made of; return False if that was done before.

    Raises:
        ConfigurationError: the key cannot sign images, or the image's base or revision is not known.
        RegistryError: the registry cannot be reached, refuses, or has no such image.
    """
    repository, _, digest = name.partition("@")
    registry = Registry(repository)
    if verify_image(registry, digest, [key.public]).passed:
        return False
    image = read_image(registry, digest)
    packages, lock = read_contents(registry, image)
    attest(registry, digest, key, {PROVENANCE: _provenance(name, image, lock), PACKAGES: packages})
    sign(registry, digest, key)
    return True


def _provenance(name: str, image: BuiltImage, lock: str) -> Mapping[str, Any]:
    base, base_digest = image.base
    if not base_digest:
        raise ConfigurationError(
            f"{name}: found the base {base!r}, expected one with its digest: name it so, by `ARG BASE` in"
            " components/Dockerfile or BUILD_OPTIONS, and build the image again"
        )
    if not image.revision:
        raise ConfigurationError(f"{name}: names no Git revision; build it by `make images`")
    algorithm, _, hexadecimal = base_digest.partition(":")
    parts = [
        {"name": "code", "digest": {"gitCommit": image.revision}},
        {"name": LOCK, "digest": {"sha256": lock}},
        {"name": "base", "uri": f"docker://{base}", "digest": {algorithm: hexadecimal}},
    ]
    return {
        "buildDefinition": {"buildType": BUILD_TYPE, "externalParameters": {}, "resolvedDependencies": parts},
        "runDetails": {"builder": {"id": BUILDER}},
    }
