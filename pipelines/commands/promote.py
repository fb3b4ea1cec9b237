"""``rankloop promote``: make an environment serve a bundle."""

import os

import click

from components.home.storage.locations import Location
from pipelines.terminal.options import environment_option, home_option, json_option


@click.command("promote")
@click.argument("bundle")
@environment_option
@home_option
@json_option
def command(bundle: str, environment: str, home: Location, as_json: bool) -> None:
    """Make an environment serve BUNDLE: a digest, the start of one, or `latest`.

    Where environments live in Git (RANKLOOP_GIT_URL), all but `local` do: a pull request proposes the change.
    A bundle that the gate refused, or whose signature is not accepted there, is not promoted: exit code 1.
    """
    from components.bundles.signing.trust import trust_here
    from components.contracts.moments import now_text
    from components.gitops.places import promote
    from components.home.homes import open_home, shop_of
    from pipelines.terminal.documents import print_change

    place = open_home(home)
    trust = trust_here(place, environment, os.environ)
    print_change(promote(place, shop_of(place), bundle, environment, now_text(), trust=trust), as_json)
