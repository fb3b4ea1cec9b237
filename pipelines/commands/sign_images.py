"""``rankloop sign-images``: who built the images, and of what."""

import os
from pathlib import Path

import click

from components.contracts.errors import ConfigurationError


@click.command("sign-images")
def command() -> None:
    """Sign the images of components/images.toml, or of the file that RANKLOOP_IMAGES names, in their registry.

    The key is that of RANKLOOP_SIGNING_KEY. Beside the signature, each image gets its provenance (the Git revision, the
    digests of uv.lock and of its base) and the list of its packages, signed too. `make images` calls this.
    """
    from components.bundles.signing.home_key import KEY_VARIABLE, check_accepted
    from components.bundles.signing.keys import read_signing_key, shown
    from components.contracts.images import images_file, read_image, read_images_file
    from pipelines.registry.signing import sign_image

    if not os.environ.get(KEY_VARIABLE):
        raise ConfigurationError(f"found no key to sign with; name its file in {KEY_VARIABLE}")
    key = read_signing_key(Path(os.environ[KEY_VARIABLE]))
    check_accepted(key, os.environ)
    file = images_file()
    for target in sorted(read_images_file(file)["images"]):
        image = read_image(file, target)
        done = "signed" if sign_image(image, key) else "is signed already"
        click.echo(f"{image}: {done} with the key {shown(key.public.id)}")
