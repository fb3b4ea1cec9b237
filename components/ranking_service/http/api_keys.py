"""The keys file of a home: who may ask the service, each known only by the hash of a random key."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from components.contracts.errors import ConfigurationError
from components.home.disk.durable import write_durably
from components.home.disk.presence import content_of

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


def read_keys(path: Path) -> list[ApiKey] | None:
    """Read a keys file; None: there is none.

    Raises:
        ConfigurationError: it cannot be read, or holds something else.
    """
    try:
        content = content_of(path)
        return None if content is None else TypeAdapter(_KeysFile).validate_json(content).keys
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({error.strerror}); make it readable for who serves"
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "file"
        raise ConfigurationError(
            f"{path}: {place}: {first['msg']}; expected what `rankloop keys add` writes: fix the file, or remove"
            " it and add the keys again"
        ) from error


def write_keys(path: Path, keys: Sequence[ApiKey]) -> None:
    """Replace a keys file, readable for its owner alone; a reader finds the old keys or the new ones."""
    content = json.dumps({"keys": [asdict(key) for key in keys]}, indent=1, ensure_ascii=False).encode()
    write_durably(path, content + b"\n", mode=OWNER_ONLY)
