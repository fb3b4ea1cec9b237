"""Open a home that earlier runs have made."""

from pathlib import Path

from components.home.layout import Home
from components.home.shop_note import read_shop_note
from components.home.storage.locations import Location, parse_location


def open_home(location: Location) -> Home:
    """Return the home at a location.

    Raises:
        ConfigurationError: no run has made a home there, or its note of its shop cannot be read.
    """
    home = Home(parse_location(location))
    read_shop_note(home)
    return home


def shop_of(home: Home) -> str:
    """Return the name of the shop whose home this is.

    Raises:
        ConfigurationError: the home's note of it cannot be read.
    """
    return read_shop_note(home).shop


def shop_file_of(home: Home) -> Path:
    """Return the shop file that the last run of a home used.

    Raises:
        ConfigurationError: the home's note of it cannot be read.
    """
    return Path(read_shop_note(home).shop_file)
