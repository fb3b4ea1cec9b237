"""Who may ask: callers show an API key, once the home has a document of keys."""

import hmac
import ipaddress
import logging
import socket
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from components.contracts.errors import ConfigurationError, RankloopError
from components.home.storage.documents import Stamp, document_stamp, read_document
from components.home.storage.locations import Location
from components.home.trouble_log import TroubleLog
from components.ranking_service.http.api_keys import ApiKey, hash_of, parse_keys
from components.ranking_service.http.problems import unavailable

AUTHORIZATION, HOST = b"authorization", b"host"
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="rankloop"'}
MAX_KEY_BYTES = 512
LOOK_SECONDS = 1.0  # between two looks at the document
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
    """The callers that the home's keys name now.

    Keys that were good once stay good while their document is broken or gone: nothing that happens to it opens a
    service that was closed. A caller whose key cannot be checked until the document can be read is asked to come again:
    an unreadable document is no proof that there are no keys, nor that there are some.
    """

    def __init__(self, location: Location) -> None:
        """Read the keys; ``follow`` reads them again."""
        self._location = location
        self._keys: list[ApiKey] | None = None
        self._stamp: Stamp | None = None
        self._troubles = TroubleLog(log, logging.ERROR)
        self._is_unreadable = False
        self.follow()

    def caller(self, headers: Headers) -> str | None:
        """Return the name of the key that a request shows; None: no key was ever asked for, all is open.

        Raises:
            HTTPException: 401, with the challenge: no key, more than one, or one that is not known; 503, with
                Retry-After: the document cannot be read, and it alone could tell.
        """
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

    def follow(self) -> None:
        """Read the keys if they have changed; one thread at a time, for a bucket may let it wait."""
        try:
            stamp, content = self._look()
        except OSError as error:
            self._stay(f"{self._location}: cannot be read ({error.strerror}); bring its disk back, or set its rights")
            return
        except RankloopError as error:
            self._stay(str(error))
            return
        try:
            self._take(stamp, None if content is None else parse_keys(self._location, content))
        except ConfigurationError as error:
            self._keys = self._keys or []  # there is a document: somebody meant to ask for keys
            self._stay(str(error))

    def _look(self) -> tuple[Stamp | None, bytes | None]:
        """Return the stamp of the document and, where it is not the known one, what it holds."""
        stamp = document_stamp(self._location)
        return stamp, None if stamp is None or stamp == self._stamp else read_document(self._location)

    def _take(self, stamp: Stamp | None, keys: list[ApiKey] | None) -> None:
        self._is_unreadable, trouble = False, None
        if keys is not None:
            self._keys, self._stamp = keys, stamp
        elif stamp is None and self._keys is not None:
            trouble = f"{self._location}: is gone; the keys known before stay good until the service starts again"
        self._say(trouble)

    def _stay(self, trouble: str) -> None:
        self._is_unreadable = True
        self._say(f"{trouble}; until then the keys known before stay good, {len(self._keys or ())} of them")

    def _say(self, trouble: str | None) -> None:
        self._troubles.report("keys", trouble, ended=f"{self._location}: is followed again")


def _key_in(value: bytes) -> bytes | None:
    scheme, _, key = value.strip().partition(b" ")
    key = key.strip()
    return key if scheme.lower() == b"bearer" and 0 < len(key) <= MAX_KEY_BYTES else None


def _refusal(found: str) -> HTTPException:
    return HTTPException(HTTPStatus.UNAUTHORIZED, f"{found}, {ADVICE}", CHALLENGE)
