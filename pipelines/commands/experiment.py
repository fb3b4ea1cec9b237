"""``rankloop experiment``: the results of an experiment's arms."""

from pathlib import Path

import click

from components.home.storage.locations import Location
from pipelines.terminal.options import environment_option, home_option, json_option, last_shop_option

UNTRUSTED = 3
EXAMPLE = """\
name = "new-features"          # a new name assigns the users again

[arms.champion]                # what was promoted
share = 0.8

[arms.challenger]
share = 0.1
bundle = "latest"              # published last; or a digest

[arms.baseline]                # the best simple rule
share = 0.1

[shadow]                       # ranks too, unseen
arm = "challenger"
share = 0.25                   # of the requests
"""
WHAT_TO_WRITE = (
    "An experiment is a file, HOME/experiments/ENV.toml, which the service follows; without it all users \
are the champion's:\n\n"
    + "\n\n".join(f"\b\n{part}" for part in EXAMPLE.split("\n\n"))
)


@click.command("experiment", epilog=WHAT_TO_WRITE)
@home_option
@environment_option
@last_shop_option
@click.option(
    "--days",
    metavar="DAYS",
    type=click.IntRange(min=1),
    help="How long events count for a list. [default: the shop's horizon]",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context, home: Location, environment: str, shop_file: Path | None, days: int | None, as_json: bool
) -> None:
    """Read out each arm's clicks and purchases, and its lift over the champion with a 95 % interval over users.

    Exit 3 if users are not spread as the shares say: then do not trust the experiment.
    """
    from datetime import timedelta

    from rich.console import Console

    from components.experiments.readout import read_out
    from components.home.homes import open_home, shop_file_of
    from components.shop.settings import load_shop
    from pipelines.terminal.experiment_tables import print_readout
    from pipelines.terminal.output import print_json

    place = open_home(home)
    horizon_days = days or load_shop(shop_file or shop_file_of(place)).horizon_days
    document = read_out(place, environment, timedelta(days=horizon_days))
    print_json(document) if as_json else print_readout(document, Console())
    if document["sample_ratio"]["mismatch"]:
        ctx.exit(UNTRUSTED)
