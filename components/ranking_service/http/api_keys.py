"""The keys document of a home: who may ask the service, each known only by the hash of a random key."""

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter, ValidationError

from components.contracts.errors import ConfigurationError
from components.home.storage.documents import read_document, update_document
from components.home.storage.locations import Location

OWNER_ONLY = 0o600
PREFIX = "rk_"  # lets scanners for leaked secrets recognise a key
RANDOM_BYTES = 32  # so many that a plain hash needs no salt


@dataclass(frozen=True)
class ApiKey:
    """One key, by its hash; the key itself was shown once, when it was made."""

    name: str
    sha256: str
    created: str


@dataclass(frozen=True)
class _KeysFile:
    keys: list[ApiKey]


def new_key() -> str:
    """Draw a key."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def hash_of(key: bytes) -> str:
    """Hash a key as the file keeps it."""
    return hashlib.sha256(key).hexdigest()


def read_keys(location: Location) -> list[ApiKey] | None:
    """Read the keys of a home; None: there is no document of them.

    Raises:
        ConfigurationError: it cannot be read, or holds something else.
        StorageError: the bucket cannot be used.
    """
    try:
        content = read_document(location)
    except OSError as error:
        raise ConfigurationError(
            f"{location}: cannot be read ({error.strerror}); make it readable for who serves"
        ) from error
    return None if content is None else parse_keys(location, content)


def parse_keys(location: Location, content: bytes) -> list[ApiKey]:
    """Parse a document of keys.

    Raises:
        ConfigurationError: it holds something else.
    """
    try:
        return TypeAdapter(_KeysFile).validate_json(content).keys
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "file"
        raise ConfigurationError(
            f"{location}: {place}: {first['msg']}; expected what `rankloop keys add` writes: fix the file, or remove"
            " it and add the keys again"
        ) from error


def update_keys(location: Location, change: Callable[[list[ApiKey]], Sequence[ApiKey]]) -> list[ApiKey]:
    """Change the keys of a home, also while others do, and return them; a file is readable for its owner alone.

    Raises:
        ConfigurationError: the document is broken, or its folder is read-only, as a mounted Secret is.
        StorageError: the bucket cannot be used.
    """

    def changed(content: bytes | None) -> bytes:
        keys = [] if content is None else parse_keys(location, content)
        document = {"keys": [asdict(key) for key in change(keys)]}
        return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"

    read_keys(location)  # which says what to do about a file that cannot be read
    try:
        return parse_keys(location, update_document(location, changed, mode=OWNER_ONLY))
    except OSError as error:
        raise ConfigurationError(
            f"{location}: cannot be written ({error.strerror}); make its folder writable, or change the keys in a home"
            " and make the Secret that is mounted here from its file"
        ) from error
