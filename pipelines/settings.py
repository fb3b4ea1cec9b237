"""What a user of the command line settles: one frozen object for a run, made at the edge."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

from components.contracts.errors import ConfigurationError
from components.contracts.home import Home
from components.contracts.shop import Shop, load_shop


@dataclass(frozen=True)
class RunSettings:
    """Which shop runs in which home, and at which moment (None: the end of the last complete day)."""

    shop_file: Path
    shop: Shop
    home: Home
    as_of: datetime | None


def run_settings(shop_file: Path, home: Path, as_of: str | None) -> RunSettings:
    """Check what was given on the command line.

    Raises:
        ConfigurationError: the shop file, the moment or the home is wrong.
    """
    shop_file = shop_file.expanduser().resolve()
    shop = load_shop(shop_file)
    moment = None if as_of is None else read_moment(as_of, shop)
    return RunSettings(shop_file, shop, Home(home.expanduser().resolve()), moment)


def read_moment(text: str, shop: Shop) -> datetime:
    """Read a date (its first moment in the shop's zone) or a time (in the shop's zone unless it names one).

    Raises:
        ConfigurationError: the text is neither.
    """
    try:
        if len(text) == len("2017-08-28"):
            found = datetime.combine(date.fromisoformat(text), time())
        else:
            found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"--as-of: found {text!r}, expected a date or a time such as 2017-08-28 or 2017-08-28T06:00:00Z"
        ) from error
    return (found if found.tzinfo else found.replace(tzinfo=shop.zone)).astimezone(UTC)
