"""``rankloop drift``: the newest data beside what the live bundle learned from."""

from pathlib import Path

import click

from components.home.storage.locations import Location
from pipelines.terminal.options import environment_option, home_option, json_option, last_shop_option

DRIFTED = 3


@click.command("drift")
@home_option
@environment_option
@last_shop_option
@click.option("--window", metavar="DAYS", type=int, help="Days of the window: a horizon or more. [default: the shop's]")
@click.option("--as-of", metavar="TIME", help="Use nothing after this date or time. [default: the last complete day]")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    home: Location,
    environment: str,
    shop_file: Path | None,
    window: int | None,
    as_of: str | None,
    as_json: bool,
) -> None:
    """Bring in what is new and compare the newest window with the bundle's reference; exit 3 when it drifted."""
    from pipelines.runs.monitoring_run import monitor
    from pipelines.terminal.documents import print_drift
    from pipelines.terminal.output import print_json

    document = monitor(home, environment, window, as_of, quiet=as_json, shop_file=shop_file)
    print_json(document) if as_json else print_drift(document)
    if document["drifted"]:
        ctx.exit(DRIFTED)
