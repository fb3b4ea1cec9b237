"""``rankloop push-bundle``: a bundle as an image, for clusters that mount models."""

import os

import click

from components.home.storage.locations import Location
from pipelines.terminal.options import environment_option, home_option


@click.command("push-bundle")
@click.argument("digest")
@click.argument("repository")
@environment_option
@home_option
def command(digest: str, repository: str, environment: str, home: Location) -> None:
    """Push bundle DIGEST to REPOSITORY, such as registry.example.org/shop/bundles, and sign its image.

    A bundle that the environment would not accept is not pushed. The key is that which signs the home's bundles;
    without one the image is not signed. The same bundle with the same signature gives the same image.
    """
    from components.bundles.signing.home_key import signing_key
    from components.bundles.signing.trust import trust_here
    from components.bundles.store import find_bundle
    from components.home.homes import open_home, shop_of
    from pipelines.registry.bundle_image import bundle_tag, push_bundle
    from pipelines.registry.client import Registry
    from pipelines.registry.signatures import sign

    place = open_home(home)
    bundle = find_bundle(place.models, shop_of(place), digest)
    trust_here(place, environment, os.environ).check(bundle)
    registry = Registry(repository)
    image = push_bundle(registry, bundle)
    key = signing_key(place, os.environ)
    if key is not None:
        sign(registry, image, key)
    click.echo(f"{repository}:{bundle_tag(bundle.digest)}\n{repository}@{image}")
