"""Add, list and remove the keys that callers of the ranking service show."""

import re

from components.contracts.errors import ConfigurationError
from components.home.layout import Home
from components.ranking_service.http.api_keys import ApiKey, hash_of, new_key, read_keys, update_keys

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def list_keys(home: Home) -> list[ApiKey]:
    """Return the keys of a home, oldest first.

    Raises:
        ConfigurationError: the keys document is broken.
    """
    return read_keys(home.api_keys) or []


def add_key(home: Home, name: str, now: str) -> str:
    """Make a key and return it: it cannot be had again, the home keeps its hash alone.

    Raises:
        ConfigurationError: the name is taken or no name; the keys document is broken.
    """
    if not NAME.fullmatch(name):
        raise ConfigurationError(f"key {name!r}: found no name, expected 1 to 63 letters, digits, dots, _ or -")
    key = new_key()

    def added(keys: list[ApiKey]) -> list[ApiKey]:
        if any(known.name == name for known in keys):
            raise ConfigurationError(
                f"key {name}: there is one already; choose another name, or `rankloop keys remove {name}` first"
            )
        return [*keys, ApiKey(name, hash_of(key.encode()), now)]

    update_keys(home.api_keys, added)
    return key


def remove_key(home: Home, name: str) -> int:
    """Forget a key; return how many are left. Without any the service refuses every caller.

    Raises:
        ConfigurationError: there is no such key; the keys document is broken.
    """

    def remaining(keys: list[ApiKey]) -> list[ApiKey]:
        if not any(key.name == name for key in keys):
            names = ", ".join(key.name for key in keys) or "none"
            raise ConfigurationError(f"key {name}: there is no such key; those there are: {names}")
        return [key for key in keys if key.name != name]

    return len(update_keys(home.api_keys, remaining))
