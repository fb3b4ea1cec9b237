"""What the service is told: from environment variables, read once, by the service's edge."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.contracts.errors import ConfigurationError
from components.home.layout import NAME_ADVICE, Home, is_environment_name
from components.home.shop_note import read_shop_note

HOME = "RANKLOOP_HOME"
ENVIRONMENT = "RANKLOOP_ENVIRONMENT"
KEEP_ALIVE = "RANKLOOP_KEEP_ALIVE_SECONDS"
ORIGINS = "RANKLOOP_CORS_ORIGINS"
DEADLINE = "RANKLOOP_STORE_DEADLINE_MS"
STALE = "RANKLOOP_STALE_AFTER_DAYS"
SESSION_USERS = "RANKLOOP_SESSION_USERS"
SESSION_EVENTS = "RANKLOOP_SESSION_EVENTS"
ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")


@dataclass(frozen=True)
class ServiceSettings:
    """Which home's bundle is served, and for which environment it was promoted.

    ``store_deadline_ms``: how long a store that is a server may take for a user's row. ``stale_after_days``: age of the
    newest item row, by the home's clock, from which answers say that they rest on stale features.
    ``keep_alive_seconds``: how long a connection may wait for a request. ``origins``: of pages on other hosts whose
    scripts may ask, such as ``https://shop.example``. ``session_users``: users whose sessions are
    held in memory. ``session_events``: events of the journal that a start reads for them.
    """

    home: Home
    environment: str = "local"
    store_deadline_ms: float = 20.0
    stale_after_days: float = 8.0
    keep_alive_seconds: float = 75.0  # usual load balancers keep idle connections for 60 s
    origins: tuple[str, ...] = ()
    session_users: int = 200_000
    session_events: int = 1_000_000

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
        positive_number(variables, KEEP_ALIVE, ServiceSettings.keep_alive_seconds),
        tuple(_origin(each) for each in re.split(r"[\s,]+", variables.get(ORIGINS, "")) if each),
        whole_number(variables, SESSION_USERS, ServiceSettings.session_users),
        whole_number(variables, SESSION_EVENTS, ServiceSettings.session_events),
    )


def _origin(given: str) -> str:
    """Return an origin as browsers write it.

    Raises:
        ConfigurationError: it is none.
    """
    origin = given.lower()
    if not ORIGIN.fullmatch(origin):
        raise ConfigurationError(
            f"{ORIGINS}: found {given!r}, expected origins such as https://shop.example or http://localhost:3000, with"
            " commas between them; list every one, there is no sign for all"
        )
    return origin


def whole_number(variables: Mapping[str, str], name: str, standard: int) -> int:
    """Read a whole number above 0; ``standard`` where the variable is not set or empty.

    Raises:
        ConfigurationError: it is none.
    """
    number = positive_number(variables, name, standard)
    if number != int(number):
        raise ConfigurationError(f"{name}: found {variables[name]!r}, expected a whole number above 0")
    return int(number)


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
