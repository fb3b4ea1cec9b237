"""Tombstones: who was forgotten, as keyed hashes. The ids themselves stand nowhere.

``tombstones.json`` holds a random key and, by the HMAC-SHA256 of each id under it, when it was forgotten; only its
owner may read it. Without the file nobody was forgotten.
"""

import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from components.contracts.errors import ConfigurationError
from components.home.durable import write_durably
from components.home.presence import content_of, status_of

OWNER_ONLY = 0o600
KEY_BYTES = 32
Mark = tuple[int, int]


@dataclass(frozen=True)
class _Known:
    """What the file held at a moment; ``mark`` is None where there was none."""

    mark: Mark | None = None
    key: bytes = b""
    hashes: frozenset[str] = frozenset()


class Tombstones:
    """The forgotten users of a home, followed while the file grows; any thread may ask."""

    def __init__(self, path: Path) -> None:
        """Read ``home.tombstones``.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        self._path = path
        self._known = _Known()  # replaced whole: no thread meets the hashes of one moment with the mark of another
        self.follow()

    def __bool__(self) -> bool:
        """Whether anybody was forgotten."""
        return bool(self._known.hashes)

    def __contains__(self, user_id: str | None) -> bool:
        """Whether a user was forgotten, as far as the file was followed."""
        known = self._known
        return user_id is not None and bool(known.hashes) and _hash(known.key, user_id) in known.hashes

    @property
    def mark(self) -> Mark | None:
        """Which state of the file is known; None: there was none so far."""
        return self._known.mark

    def among(self, user_ids: Iterable[str | None]) -> list[str]:
        """Those of some users who were forgotten."""
        return [user_id for user_id in user_ids if user_id is not None and user_id in self]

    def follow(self) -> bool:
        """Read the file if it has changed; say whether it had.

        Raises:
            ConfigurationError: it cannot be read, or was there before and is gone; who was known to be forgotten stays
                so.
        """
        mark = tombstones_mark(self._path)
        if mark == self.mark:
            return False
        found = None if mark is None else _read(self._path)
        if found is not None:
            self._known = _Known(mark, found[0], frozenset(found[1]))
            return True
        if self.mark is None:
            return False
        raise ConfigurationError(
            f"{self._path}: is gone; bring the file back: without it users who were forgotten return with their data "
            "once this process starts anew"
        )


def tombstones_mark(path: Path) -> Mark | None:
    """What changes whenever the file does; None without one.

    Raises:
        ConfigurationError: whether there is one cannot be told.
    """
    try:
        status = status_of(path)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be looked at ({error.strerror}); repair its disk, or set the rights of its folder"
        ) from error
    return None if status is None else (status.st_mtime_ns, status.st_ino)


def bury(path: Path, user_id: str) -> str:
    """Enter a user, durably, unless they are there; return the name of their tombstone (64 hexadecimal digits).

    One process at a time may do so: whoever holds the home's lock.

    Raises:
        ConfigurationError: the file cannot be read or written.
    """
    key, hashes = _read(path) or (secrets.token_bytes(KEY_BYTES), {})
    name = _hash(key, user_id)
    if name not in hashes:
        hashes[name] = datetime.now(UTC).isoformat(timespec="seconds")
        document = json.dumps({"key": key.hex(), "forgotten": hashes}, indent=1)
        try:
            write_durably(path, document.encode(), mode=OWNER_ONLY)
        except OSError as error:
            raise ConfigurationError(
                f"{path}: cannot be written ({error.strerror}); nothing was erased: free space, or set its rights"
            ) from error
    return name


def _hash(key: bytes, user_id: str) -> str:
    return hmac.digest(key, user_id.encode("utf-8", "surrogatepass"), "sha256").hex()


def _read(path: Path) -> tuple[bytes, dict[str, str]] | None:
    try:
        content = content_of(path)
        if content is None:
            return None
        document = json.loads(content)
        key, hashes = bytes.fromhex(document["key"]), dict(document["forgotten"])
        if len(key) != KEY_BYTES:
            raise ValueError(f"found a key of {len(key)} bytes, expected {KEY_BYTES}")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ConfigurationError(
            f"{path}: expected the key and hashes that `rankloop forget` writes ({error}); bring the file back: "
            "without it users who were forgotten would return with their data"
        ) from error
    return key, hashes
