"""Who may ask: callers show an API key, once the home has a keys file."""

import hmac
import ipaddress
import logging
import socket
import time
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from components.contracts.errors import ConfigurationError
from components.ranking_service.api_keys import ApiKey, hash_of, read_keys

AUTHORIZATION, HOST = b"authorization", b"host"
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="rankloop"'}
MOST_KEY_BYTES = 512
LOOK_SECONDS = 1.0
OPEN_PATHS = ("/", "/livez", "/readyz")
OPEN_FOLDER = "/page/"  # the page's static files
Headers = Iterable[tuple[bytes, bytes]]
Stamp = tuple[int, int, int]
log = logging.getLogger("bentoml.rankloop.access")

ADVICE = "expected one header `Authorization: Bearer KEY` with a key of `rankloop keys add`"


def is_open(path: str) -> bool:
    """Whether a path is answered without a key: health, and the page's files."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDER)


def check_is_here(address: str, headers: Headers) -> None:
    """Refuse a caller without a key on another machine, or in a page that another name than ours has brought here.

    Raises:
        HTTPException: 401, with the challenge.
    """
    if not _is_local(address):
        found = "a caller on another machine"
    elif not all(_is_ours(value) for name, value in headers if name == HOST):
        found = "a host name that is not this machine's"  # a page may have its own name lead here
    else:
        return
    raise HTTPException(HTTPStatus.UNAUTHORIZED, f"found no API keys in the home and {found}, {ADVICE}", CHALLENGE)


@lru_cache(maxsize=1024)
def _is_ours(host: bytes) -> bool:
    """Whether a Host header holds an address, or a name that only this machine has."""
    try:
        name = urlsplit(f"//{host.decode('latin-1')}").hostname or ""
        if name not in ("localhost", socket.gethostname().lower()):
            ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def _is_local(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


class Access:
    """The callers that the keys file names now.

    The file is looked at once a second at most. Keys that were good once stay good while the file is broken or gone:
    nothing that happens to a file opens a service that was closed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: list[ApiKey] | None = None
        self._stamp: Stamp | None = None
        self._looked = -LOOK_SECONDS
        self._said: str | None = None

    def caller(self, headers: Headers, now: float | None = None) -> str | None:
        """Return the name of the key that a request shows; None: no key was ever asked for, all is open.

        Raises:
            HTTPException: 401, with the challenge: no key, more than one, or one that is not known.
        """
        self._look(time.monotonic() if now is None else now)
        if self._keys is None:
            return None
        shown = [value for name, value in headers if name == AUTHORIZATION]
        if not shown:
            raise _refusal("found no API key")
        key = _key_in(shown[0])
        if len(shown) > 1 or key is None:
            raise _refusal("found a header that shows no API key")
        name = self._name_of(hash_of(key))
        if name is None:
            raise _refusal("found an API key that is not known")
        return name

    def _name_of(self, shown: str) -> str | None:
        """Compare with every key, each time for as long, so that time tells nothing."""
        found = None
        for known in self._keys or []:
            if hmac.compare_digest(known.sha256.encode(), shown.encode()):
                found = known.name
        return found

    def _look(self, now: float) -> None:
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        stamp = _stamp(self._path)
        if stamp is not None and stamp == self._stamp:
            return
        try:
            keys = read_keys(self._path)
        except ConfigurationError as error:
            self._keys = self._keys or []
            self._say(f"{error}; until then the keys known before stay good, {len(self._keys)} of them")
            return
        if keys is None and self._keys is not None:
            self._say(f"{self._path}: is gone; the keys known before stay good until the service starts anew")
            return
        self._keys, self._stamp, self._said = keys, stamp, None

    def _say(self, message: str) -> None:
        """Log a complaint once for as long as it stays the same."""
        if message != self._said:
            log.error(message)
            self._said = message


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _key_in(value: bytes) -> bytes | None:
    scheme, _, key = value.strip().partition(b" ")
    key = key.strip()
    return key if scheme.lower() == b"bearer" and 0 < len(key) <= MOST_KEY_BYTES else None


def _refusal(found: str) -> HTTPException:
    return HTTPException(HTTPStatus.UNAUTHORIZED, f"{found}, {ADVICE}", CHALLENGE)
