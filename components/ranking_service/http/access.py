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
from components.home.disk.presence import FileStamp, file_stamp
from components.home.trouble_log import TroubleLog
from components.ranking_service.http.api_keys import ApiKey, hash_of, read_keys
from components.ranking_service.http.problems import unavailable

AUTHORIZATION, HOST = b"authorization", b"host"
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="rankloop"'}
MAX_KEY_BYTES = 512
LOOK_SECONDS = 1.0
Headers = Iterable[tuple[bytes, bytes]]
log = logging.getLogger("bentoml.rankloop.access")

UNREADABLE = "the API keys of the home cannot be read, so that nobody can be told apart; come again in 1 s"
ADVICE = "expected one header `Authorization: Bearer KEY` with a key of `rankloop keys add`"


def check_is_here(address: str, headers: Headers) -> None:
    """Refuse a caller without a key on another machine, or in a page that another name than ours has brought here.

    Raises:
        HTTPException: 401, with the challenge.
    """
    if not _is_local(address):
        problem = "a caller on another machine"
    elif not all(_is_ours(value) for name, value in headers if name == HOST):
        problem = "a host name that is not this machine's"  # a page may have its own name lead here
    else:
        return
    raise HTTPException(HTTPStatus.UNAUTHORIZED, f"found no API keys in the home and {problem}, {ADVICE}", CHALLENGE)


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
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


class Access:
    """The callers that the keys file names now.

    The file is looked at once a second at most. Keys that were good once stay good while the file is broken or gone:
    nothing that happens to a file opens a service that was closed. A caller whose key cannot be checked until the file
    can be read is asked to come again: an unreadable file is no proof that there are no keys, nor that there are some.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: list[ApiKey] | None = None
        self._stamp: FileStamp | None = None
        self._looked = -LOOK_SECONDS
        self._troubles = TroubleLog(log, logging.ERROR)
        self._is_unreadable = False

    def caller(self, headers: Headers, now: float | None = None) -> str | None:
        """Return the name of the key that a request shows; None: no key was ever asked for, all is open.

        Raises:
            HTTPException: 401, with the challenge: no key, more than one, or one that is not known; 503, with
                Retry-After: the file cannot be read, and it alone could tell.
        """
        self._look(time.monotonic() if now is None else now)
        if self._keys is None and self._is_unreadable:
            raise unavailable(UNREADABLE)
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
            raise unavailable(UNREADABLE) if self._is_unreadable else _refusal("found an API key that is not known")
        return name

    def _name_of(self, shown: str) -> str | None:
        """Compare with every key, each time for as long, so that time tells nothing."""
        name = None
        for known in self._keys or []:
            if hmac.compare_digest(known.sha256.encode(), shown.encode()):
                name = known.name
        return name

    def _look(self, now: float) -> None:
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        try:
            stamp = _stamp(self._path)
            if stamp is None or stamp != self._stamp:
                self._take(read_keys(self._path), stamp)
            else:
                self._say(None)
            self._is_unreadable = False
        except ConfigurationError as error:
            self._is_unreadable = True
            if not isinstance(error.__cause__, OSError):  # it was read: somebody meant to ask for keys
                self._keys = self._keys or []
            known = len(self._keys or ())
            self._say(f"{error}; until then the keys known before stay good, {known} of them")

    def _take(self, keys: list[ApiKey] | None, stamp: FileStamp | None) -> None:
        if keys is None and self._keys is not None:
            self._say(f"{self._path}: is gone; the keys known before stay good until the service starts again")
            return
        self._keys, self._stamp = keys, stamp
        self._say(None)

    def _say(self, trouble: str | None) -> None:
        self._troubles.report("keys", trouble, ended=f"{self._path}: is followed again")


def _stamp(path: Path) -> FileStamp | None:
    """Return the stamp of the keys file; None if there is none.

    Raises:
        ConfigurationError: the file cannot be looked at.
    """
    try:
        return file_stamp(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be looked at ({error.strerror}); bring its disk back") from error


def _key_in(value: bytes) -> bytes | None:
    scheme, _, key = value.strip().partition(b" ")
    key = key.strip()
    return key if scheme.lower() == b"bearer" and 0 < len(key) <= MAX_KEY_BYTES else None


def _refusal(found: str) -> HTTPException:
    return HTTPException(HTTPStatus.UNAUTHORIZED, f"{found}, {ADVICE}", CHALLENGE)
