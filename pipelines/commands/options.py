"""Options that several commands share."""

from pathlib import Path

import click

from pipelines.paths import DEFAULT_HOME, DEFAULT_SHOP

shop_option = click.option(
    "--shop",
    "shop_file",
    type=click.Path(path_type=Path),
    default=DEFAULT_SHOP,
    help="The shop file. [default: the Complete Journey demo]",
)
home_option = click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=DEFAULT_HOME,
    show_default=True,
    envvar="RANKLOOP_HOME",
    show_envvar=True,
    help="The folder that holds everything of the shop.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
environment_option = click.option(
    "--env",
    "environment",
    default="local",
    show_default=True,
    help="The environment: on one machine, a pointer of the home.",
)
