"""Default paths of the command line."""

from pathlib import Path

DEFAULT_SHOP = Path(__file__).parent / "shops" / "complete_journey.toml"
DEFAULT_HOME = Path(".rankloop")
MANIFESTS = Path(__file__).parents[1] / "manifests"
