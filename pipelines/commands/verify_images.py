"""``rankloop verify-images``: whether the images that a cluster would run are ours, and what they were made of."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.paths import MANIFESTS
from pipelines.terminal.options import json_option

if TYPE_CHECKING:
    from components.bundles.signing.keys import PublicKey
    from components.bundles.signing.verification import Verification


@click.command("verify-images")
@click.option(
    "--manifests",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=MANIFESTS,
    help="The folder of manifests. [default: this repository's]",
)
@json_option
def command(manifests: Path, as_json: bool) -> int:
    """Verify each image that manifests/rendered and the compiled pipelines name by digest.

    An image of this repository must have a signature, a provenance and a list of its packages by one of the keys of
    RANKLOOP_VERIFY_KEYS, by default those in manifests/components/signing. Other images are not verified, but they must
    be named by their digest. Exit code 1 if anything is wrong.
    """
    from components.bundles.signing.home_key import KEYS_VARIABLE
    from components.bundles.signing.keys import parse_keys, read_public_keys
    from components.contracts.errors import ConfigurationError
    from components.contracts.images import images_file
    from pipelines.registry.named_images import built_here, keys_of, named_images
    from pipelines.terminal.output import print_json

    keys = read_public_keys(parse_keys(os.environ.get(KEYS_VARIABLE, "")) or [keys_of(manifests)])
    images = named_images(manifests)
    ours = built_here(images, images_file())
    if not ours:
        raise ConfigurationError(f"{manifests}: found no image of {images_file()}, expected those that a cluster runs")
    verified = [_verified(name, keys) for name in ours]
    others = sorted(set(images) - set(ours))
    if as_json:
        print_json({"images": [asdict(each) | {"passed": each.passed} for each in verified]})
    else:
        for each in verified:
            click.echo(each.digest)
            for check in each.checks:
                click.echo(f"  {'✓' if check.passed else '✗'} {check.name}: {check.reason}")
        for name in others:
            click.echo(f"{name}\n  {'not built here' if '@' in name else '✗ not built here, and without a digest'}")
    return 0 if all(each.passed for each in verified) and all("@" in name for name in others) else 1


def _verified(image: str, keys: "Sequence[PublicKey]") -> "Verification":
    from components.bundles.signing.verification import Check, Verification
    from pipelines.registry.client import Registry
    from pipelines.registry.named_images import repository_of
    from pipelines.registry.verification import verify_image

    digest = image.partition("@")[2]
    if not digest:
        return Verification(image, (Check("image", False, "is named without a digest; expected NAME@sha256:…"),))
    return verify_image(Registry(repository_of(image)), digest, keys)
