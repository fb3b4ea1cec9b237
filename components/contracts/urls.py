"""URLs that may hold a secret: how they are written, and how they are shown."""

import os
import re
from urllib.parse import parse_qsl, urlencode, urlsplit

from components.contracts.errors import ConfigurationError

FOLDERS = ("lmdb://", "file://", "sqlite://", "home://")  # a path follows: an @ in it is no user
PLACE_OPTIONS = ("db", "prefix")  # of a query: what says where, and is no secret
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_USER = re.compile(r"\b((?!lmdb:|file:|sqlite:|home:)[\w+.-]+://)\S*@")


def fill_variables(where: str, written: str) -> str:
    """Replace each ``${NAME}`` by that environment variable; ``where`` names the key or file in the error.

    Raises:
        ConfigurationError: a variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise ConfigurationError(
                f"{where}: found ${{{match[1]}}}, but that environment variable is not set; export it"
            )
        return os.environ[match[1]]

    return _VARIABLE.sub(value, written)


def public_url(url: str) -> str:
    """Return where a URL leads, without user, password and options: fit for messages, records and reports.

    All up to the last ``@`` goes first, so that no character of a password is taken for its end.
    """
    if url.startswith(FOLDERS):
        return url
    scheme, sign, rest = url.partition("://")
    if not sign:
        return "(a URL that is not understood)"
    place, _, options = rest.rpartition("@")[2].partition("#")[0].partition("?")
    shown = urlencode([(name, value) for name, value in parse_qsl(options) if name in PLACE_OPTIONS])
    return scheme + sign + place + (f"?{shown}" if shown else "")


def public_host(host: str) -> str:
    """Return the address of a server as messages show it, with or without a scheme: no user, password or fragment."""
    return public_url(host) if "://" in host else host.rpartition("@")[2].partition("#")[0]


def without_users(message: str) -> str:
    """Return a message without the user and password of any URL in it."""
    return _USER.sub(r"\1", message)


def is_ambiguous(url: str) -> bool:
    """Return whether a user or password holds a character that ends it early, so that another host would be called."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] != urlsplit(public_url(url)).netloc
    except ValueError:  # brackets that are no IPv6 address
        return True


AMBIGUOUS = "write `#`, `/`, `?` and `@` in a user or password as %23, %2F, %3F and %40"
