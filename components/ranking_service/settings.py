"""What the service is told: from environment variables, read once, by the service's edge."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.contracts.errors import ConfigurationError
from components.contracts.home import Home

HOME = "RANKLOOP_HOME"
ENVIRONMENT = "RANKLOOP_ENVIRONMENT"


@dataclass(frozen=True)
class ServiceSettings:
    """Which home's bundle is served, and for which environment it was promoted."""

    home: Home
    environment: str = "local"

    @property
    def shop(self) -> str:
        """Name of the shop whose home it is.

        Raises:
            ConfigurationError: no run has made a home there.
        """
        try:
            return str(json.loads(self.home.shop_note.read_bytes())["shop"])
        except FileNotFoundError as error:
            raise ConfigurationError(
                f"home {self.home.root}: no run has made a home there; `rankloop run --home {self.home.root}` does"
            ) from error

    @property
    def variables(self) -> dict[str, str]:
        """The settings as environment variables, for the processes of the service."""
        return {HOME: str(self.home.root), ENVIRONMENT: self.environment}


def settings_from(variables: Mapping[str, str]) -> ServiceSettings:
    """Read the settings.

    Raises:
        ConfigurationError: no home is named.
    """
    if not variables.get(HOME):
        raise ConfigurationError(
            f"{HOME} is not set; expected the folder of a home: `rankloop serve --home DIR` sets it"
        )
    return ServiceSettings(Home(Path(variables[HOME]).resolve()), variables.get(ENVIRONMENT) or "local")
