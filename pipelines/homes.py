"""Open a home that earlier runs have made."""

from datetime import UTC, datetime
from pathlib import Path

from components.contracts.errors import ConfigurationError
from components.contracts.home import Home
from pipelines.run_record import read_json


def open_home(path: Path) -> Home:
    """Return the home at a path.

    Raises:
        ConfigurationError: no run has made a home there.
    """
    home = Home(path.expanduser().resolve())
    if not home.shop_note.exists():
        raise ConfigurationError(f"home {home.root}: no run has made a home there; `rankloop run --home {path}` does")
    return home


def shop_of(home: Home) -> str:
    """Return the name of the shop whose home this is."""
    return str(read_json(home.shop_note)["shop"])


def shop_file_of(home: Home) -> Path:
    """Return the shop file that the last run of a home used."""
    return Path(read_json(home.shop_note)["shop_file"])


def now_text() -> str:
    """Return this moment, for the history of an environment."""
    return datetime.now(UTC).isoformat(timespec="seconds")
