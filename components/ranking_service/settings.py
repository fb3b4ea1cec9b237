"""What the service is told: from environment variables, read once, by the service's edge."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.contracts.errors import ConfigurationError
from components.contracts.home import NAME_ADVICE, Home, is_environment_name
from components.contracts.shop_note import read_shop_note

HOME = "RANKLOOP_HOME"
ENVIRONMENT = "RANKLOOP_ENVIRONMENT"
DEADLINE = "RANKLOOP_STORE_DEADLINE_MS"
STALE = "RANKLOOP_STALE_AFTER_DAYS"


@dataclass(frozen=True)
class ServiceSettings:
    """Which home's bundle is served, and for which environment it was promoted.

    ``store_deadline_ms``: how long a store that is a server may take for a user's row. ``stale_after_days``: age of the
    newest item row, by the home's clock, from which answers say that they rest on stale features.
    """

    home: Home
    environment: str = "local"
    store_deadline_ms: float = 20.0
    stale_after_days: float = 8.0

    @property
    def shop(self) -> str:
        """Name of the shop whose home it is.

        Raises:
            ConfigurationError: no run has made a home there, or its note of the shop cannot be read.
        """
        return read_shop_note(self.home).shop

    @property
    def variables(self) -> dict[str, str]:
        """The settings as environment variables, for the processes of the service."""
        return {HOME: str(self.home.root), ENVIRONMENT: self.environment}


def settings_from(variables: Mapping[str, str]) -> ServiceSettings:
    """Read the settings.

    Raises:
        ConfigurationError: no home is named, an environment cannot be called that, or a number is none.
    """
    if not variables.get(HOME):
        raise ConfigurationError(
            f"{HOME} is not set; expected the folder of a home: `rankloop serve --home DIR` sets it"
        )
    environment = variables.get(ENVIRONMENT) or ServiceSettings.environment
    if not is_environment_name(environment):
        raise ConfigurationError(f"environment {environment!r}: {NAME_ADVICE}")
    return ServiceSettings(
        Home(Path(variables[HOME]).resolve()),
        environment,
        positive_number(variables, DEADLINE, ServiceSettings.store_deadline_ms),
        positive_number(variables, STALE, ServiceSettings.stale_after_days),
    )


def positive_number(variables: Mapping[str, str], name: str, standard: float) -> float:
    """Read a number above 0; ``standard`` where the variable is not set or empty.

    Raises:
        ConfigurationError: it is none.
    """
    given = variables.get(name) or str(standard)
    try:
        found = float(given)
    except ValueError:
        found = -1.0
    if not 0 < found < float("inf"):
        raise ConfigurationError(f"{name}: found {given!r}, expected a positive number")
    return found
