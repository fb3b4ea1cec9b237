"""The settings of a run from the command line: one frozen object."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from components.contracts.moments import read_moment
from components.home.layout import Home
from components.home.storage.locations import Location, parse_location
from components.shop.settings import Shop, load_shop


@dataclass(frozen=True)
class RunSettings:
    """Which shop runs in which home, and at which moment (None: the end of the last complete day)."""

    shop_file: Path
    shop: Shop
    home: Home
    as_of: datetime | None


def run_settings(shop_file: Path, home: Location, as_of: str | None) -> RunSettings:
    """Check what was given on the command line.

    Raises:
        ConfigurationError: the shop file, the moment or the home is wrong.
    """
    shop_file = shop_file.expanduser().resolve()
    shop = load_shop(shop_file)
    moment = None if as_of is None else read_moment(as_of, shop.zone)
    return RunSettings(shop_file, shop, Home(parse_location(home)), moment)
