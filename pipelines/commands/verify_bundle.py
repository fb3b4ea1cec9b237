"""``rankloop verify-bundle``: who made a bundle, and whether it is still what they made."""

import os
from dataclasses import asdict

import click

from components.home.storage.locations import Location
from pipelines.terminal.options import environment_option, home_option, json_option


@click.command("verify-bundle")
@click.argument("digest")
@environment_option
@home_option
@json_option
def command(digest: str, environment: str, home: Location, as_json: bool) -> int:
    """Verify the signature, the provenance and the content of bundle DIGEST, offline.

    DIGEST may be the start of one, or `latest`. The keys are those that the environment accepts: RANKLOOP_VERIFY_KEYS,
    else those in the home's folder `keys`. Exit code 1 if anything is wrong.
    """
    from components.bundles.signing.trust import trust_here
    from components.bundles.signing.verification import verify_published
    from components.home.homes import open_home, shop_of
    from pipelines.terminal.output import print_json

    place = open_home(home)
    trust = trust_here(place, environment, os.environ)
    verified = verify_published(place.models, shop_of(place), digest, trust.keys)
    if as_json:
        print_json(asdict(verified) | {"passed": verified.passed})
    else:
        click.echo(verified.digest)
        for check in verified.checks:
            click.echo(f"  {'✓' if check.passed else '✗'} {check.name}: {check.reason}")
    return 0 if verified.passed else 1
