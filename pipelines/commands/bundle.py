"""``rankloop bundle``: one bundle in detail."""

import click

from components.home.storage.locations import Location
from pipelines.terminal.options import home_option, json_option


@click.command("bundle")
@click.argument("name", default="champion")
@home_option
@json_option
def command(name: str, home: Location, as_json: bool) -> None:
    """Show what bundle NAME holds, where it came from, how it was judged and where it is live.

    NAME is `champion` (the default), `challenger`, a digest or the start of one.
    """
    from rich.console import Console

    from components.bundles.promotion import named_bundle
    from components.home.homes import open_home, shop_of
    from pipelines.terminal.bundle_details import bundle_details, bundle_tables
    from pipelines.terminal.output import print_json

    place = open_home(home)
    details = bundle_details(place, named_bundle(place, shop_of(place), name))
    print_json(details) if as_json else Console().print(bundle_tables(details))
