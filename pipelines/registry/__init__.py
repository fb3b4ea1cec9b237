"""Registries of images: what they hold, who made it, and bundles as images.

::

    client, docker_login ─── HTTP and credentials
        ▲
    attachments ─────────── what is attached to an image by a tag of its digest, as cosign does it
        ▲
    signatures              .sig: the image's digest, signed
    attestations            .att: provenance and packages, as signed in-toto statements
        ▲
    signing, verification ◀─ built_image: revision, base, lock and packages, read from the image itself

    bundle_image ────────── a bundle as an image of one layer
"""
