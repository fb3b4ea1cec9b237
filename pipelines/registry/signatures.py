"""An image's signature in cosign's form, which `cosign verify --key` and the policy controllers of clusters accept.

A small document that names the image's digest is signed, without a transparency log.
https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
"""

import base64
import json
from collections.abc import Sequence

from components.bundles.signing.keys import PublicKey, SigningKey, check_for_images
from components.contracts.errors import UnverifiedBundleError
from pipelines.registry.attachments import Document, attach, read_attached
from pipelines.registry.client import Registry

KIND = "sig"
MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
TYPE = "cosign container image signature"


def sign(registry: Registry, digest: str, key: SigningKey) -> None:
    """Sign an image, unless this key has, keeping the signatures of other keys.

    Raises:
        ConfigurationError: the key is none that other programs verify images with.
        RegistryError: the registry cannot be reached or refuses.
    """
    check_for_images(key.public)
    signatures = read_attached(registry, digest, KIND)
    if any(_is_by(key.public, each) and _names(each.content, digest) for each in signatures):
        return
    critical = {
        "identity": {"docker-reference": registry.name},
        "image": {"docker-manifest-digest": digest},
        "type": TYPE,
    }
    content = json.dumps({"critical": critical, "optional": None}).encode()
    signature = base64.b64encode(key.sign(content)).decode()
    attach(registry, digest, KIND, [*signatures, Document(MEDIA_TYPE, content, {SIGNATURE: signature})])


def verify_signature(registry: Registry, digest: str, keys: Sequence[PublicKey]) -> PublicKey:
    """Check that one of the keys has signed an image, and return it.

    Raises:
        UnverifiedBundleError: none has.
        RegistryError: the registry cannot be reached or refuses.
    """
    signatures = [each for each in read_attached(registry, digest, KIND) if each.media_type == MEDIA_TYPE]
    for each in signatures:
        for key in keys:
            if _is_by(key, each) and _names(each.content, digest):
                return key
    trusted = ", ".join(map(str, keys)) or "none"
    raise UnverifiedBundleError(
        f"found {len(signatures)} signatures, none of this digest by a key that is trusted here ({trusted}); "
        "`rankloop sign-images` signs it"
    )


def _is_by(key: PublicKey, document: Document) -> bool:
    try:
        return key.has_signed(
            document.content, base64.b64decode(document.annotations.get(SIGNATURE, ""), validate=True)
        )
    except ValueError:
        return False


def _names(content: bytes, digest: str) -> bool:
    try:
        critical = json.loads(content)["critical"]
        return (critical["type"], critical["image"]["docker-manifest-digest"]) == (TYPE, digest)
    except (ValueError, LookupError, TypeError):
        return False
