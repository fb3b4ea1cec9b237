"""``rankloop rollback``: make an environment serve the bundle before."""

import os

import click

from components.home.storage.locations import Location
from pipelines.terminal.options import environment_option, home_option, json_option


@click.command("rollback")
@environment_option
@home_option
@json_option
def command(environment: str, home: Location, as_json: bool) -> None:
    """Make an environment serve the bundle that it served before its last promotion.

    Where environments live in Git (RANKLOOP_GIT_URL), all but `local` do: a pull request proposes the change.
    """
    from components.bundles.signing.trust import trust_here
    from components.contracts.moments import now_text
    from components.gitops.places import rollback
    from components.home.homes import open_home, shop_of
    from pipelines.terminal.documents import print_change

    place = open_home(home)
    trust = trust_here(place, environment, os.environ)
    print_change(rollback(place, shop_of(place), environment, now_text(), trust=trust), as_json)
