"""Where the command line looks when it is not told."""

from pathlib import Path

DEFAULT_SHOP = Path(__file__).parent / "shops" / "complete_journey.toml"
DEFAULT_HOME = Path(".rankloop")
