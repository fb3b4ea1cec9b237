"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from components.contracts.errors import ConfigurationError
from components.home.storage.locations import Location, parse_location
from pipelines.paths import DEFAULT_HOME, DEFAULT_SHOP

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class HomeAddress(click.ParamType):
    """A folder, or ``s3://bucket/prefix``; a folder is made absolute."""

    name = "home"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Location:
        """Read the address, or end the command with what is wrong with it."""
        try:
            return parse_location(value)
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)


class HomeFolder(HomeAddress):
    """A folder alone, for commands that cannot work in a bucket yet."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Read the address, and refuse one of a bucket."""
        location = super().convert(value, param, ctx)
        if not isinstance(location, Path):
            self.fail(f"{location}: found a bucket, expected a folder; `rankloop doctor` alone takes both", param, ctx)
        return location


def _home_option(address: HomeAddress, words: str) -> Callable[[Decorated], Decorated]:
    return click.option(
        "--home",
        type=address,
        default=DEFAULT_HOME,
        show_default=True,
        envvar="RANKLOOP_HOME",
        show_envvar=True,
        help=words,
    )


shop_option = click.option(
    "--shop",
    "shop_file",
    type=click.Path(path_type=Path),
    default=DEFAULT_SHOP,
    help="The shop file. [default: the Complete Journey demo]",
)
home_option = _home_option(HomeFolder(), "The folder that holds everything of the shop.")
home_or_bucket_option = _home_option(
    HomeAddress(), "The folder that holds everything of the shop, or s3://BUCKET/PREFIX, whose store is then proved."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
environment_option = click.option(
    "--env",
    "environment",
    default="local",
    show_default=True,
    help="The environment: on one machine, a pointer of the home.",
)
