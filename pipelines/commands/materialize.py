"""``rankloop materialize``: the online rows of a store that was lost or emptied."""

import click

from components.home.storage.locations import Location
from pipelines.terminal.options import home_option


@click.command("materialize")
@home_option
def command(home: Location) -> None:
    """Write the online rows again that the home's runs had written and the store has lost.

    Rows that are there stay as they are, and nothing is trained. The rows of every published bundle are looked at, so
    that the live one has its own, and a rollback too.
    """
    from components.home.homes import open_home, shop_of
    from pipelines.runs.outputs import lost_rows
    from pipelines.runs.putting_back import PuttingBack

    place = open_home(home)
    put_back = PuttingBack(place, click.echo)
    put_back(lost_rows(place, shop_of(place)))
    if not put_back.done:
        click.echo("every row is online")
