"""Tombstones: who was forgotten, as keyed hashes. The ids themselves stand nowhere.

``tombstones.json`` holds a random key and, by the HMAC-SHA256 of each id under it, when it was forgotten; only the
file's owner may read it, or those who may read the bucket. Without it nobody was forgotten.
"""

import hmac
import json
import logging
import math
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from components.contracts.errors import ConfigurationError, StorageError
from components.contracts.moments import now_text
from components.home.storage.documents import Stamp, document_stamp, read_document, update_document
from components.home.storage.locations import Location
from components.home.trouble_log import TroubleLog

OWNER_ONLY = 0o600
KEY_BYTES = 32
UNTIL_THEN = "until then who was known to be forgotten stays so"
LOOK_SECONDS = 1.0  # between two looks at an object of a bucket
log = logging.getLogger("rankloop.tombstones")


@dataclass(frozen=True)
class _Known:
    """What the file held at a moment; ``stamp`` is None where there was none."""

    stamp: Stamp | None = None
    key: bytes = b""
    hashes: frozenset[str] = frozenset()


class Tombstones:
    """The forgotten users of a home, followed while the file grows; any thread may ask."""

    def __init__(self, path: Location) -> None:
        """Read ``home.tombstones``.

        Raises:
            ConfigurationError: the file cannot be read.
            StorageError: the bucket cannot be used.
        """
        self._path = path
        self._known = _Known()  # replaced whole: no thread meets the hashes of one moment with the stamp of another
        self.follow()

    def __bool__(self) -> bool:
        """Say whether anybody was forgotten."""
        return bool(self._known.hashes)

    def __contains__(self, user_id: str | None) -> bool:
        """Say whether a user was forgotten, as far as the file was followed."""
        known = self._known
        return user_id is not None and bool(known.hashes) and _hash(known.key, user_id) in known.hashes

    @property
    def stamp(self) -> Stamp | None:
        """Return which state of the file is known; None: there was none so far."""
        return self._known.stamp

    def filter_forgotten(self, user_ids: Iterable[str | None]) -> list[str]:
        """Return those of some users who were forgotten."""
        return [user_id for user_id in user_ids if user_id is not None and user_id in self]

    def follow(self) -> bool:
        """Read the file if it has changed; say whether it had.

        Raises:
            ConfigurationError: it cannot be read, or was there before and is gone; who was known to be forgotten stays
                so.
        """
        stamp = tombstones_stamp(self._path)
        if stamp == self.stamp:
            return False
        content = None if stamp is None else _read(self._path)
        if content is not None:
            self._known = _Known(stamp, content[0], frozenset(content[1]))
            return True
        if self.stamp is None:
            return False
        raise ConfigurationError(
            f"{self._path}: is gone; bring the file back: without it users who were forgotten return with their data "
            "once this process starts again"
        )


class TombstoneView:
    """The tombstones as they were when last read whole, shared by all parts of a process; any thread may ask.

    A file that breaks, is gone or cannot be reached changes nothing, and is logged once for as long as its trouble
    stays the same.
    """

    def __init__(self, path: Location) -> None:
        """Read ``home.tombstones``.

        Raises:
            ConfigurationError: the file cannot be read.
            StorageError: the bucket cannot be used.
        """
        self._tombstones = Tombstones(path)
        self._following = Lock()
        self._look_seconds = 0.0 if isinstance(path, Path) else LOOK_SECONDS
        self._next_look = 0.0
        self.looked_at = -math.inf
        """When the last look that was answered began, by the monotonic clock."""
        self._troubles = TroubleLog(log)

    def __contains__(self, user_id: object) -> bool:
        """Say whether a user was forgotten, as far as the file was followed."""
        return isinstance(user_id, str) and user_id in self._tombstones

    def follow(self, since: float = -math.inf) -> Stamp | None:
        """Look at the file, or once a second at an object. Return which state of it is known.

        Args:
            since: look again unless the last look began after this moment, by the monotonic clock.
        """
        with self._following:
            now = time.monotonic()
            if now >= self._next_look or self.looked_at < since:
                self._next_look = now + self._look_seconds
                trouble = self._look(now)
                self._troubles.report("tombstones", None if trouble is None else f"{trouble}; {UNTIL_THEN}")
            return self._tombstones.stamp

    def _look(self, now: float) -> Exception | None:
        """Look at the file or object, and return what is wrong with it; without an answer nothing was looked at."""
        try:
            self._tombstones.follow()
        except StorageError as error:
            return error
        except ConfigurationError as error:
            self.looked_at = now
            return error
        self.looked_at = now
        return None


def tombstones_stamp(path: Location) -> Stamp | None:
    """Return the stamp of the file; None without one.

    Raises:
        ConfigurationError: whether there is one cannot be told.
    """
    try:
        return document_stamp(path)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be looked at ({error.strerror}); repair its disk, or set the rights of its folder"
        ) from error


def add_tombstone(path: Location, user_id: str) -> str:
    """Enter a user, durably, unless they are there; return the name of their tombstone (64 hexadecimal digits).

    Raises:
        ConfigurationError: the file cannot be read or written.
    """
    try:
        document = update_document(path, lambda content: _with(path, content, user_id), mode=OWNER_ONLY)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be changed ({error.strerror}); nothing was erased: free space, or set its rights"
        ) from error
    return _hash(_parse(path, document)[0], user_id)


def _with(path: Location, content: bytes | None, user_id: str) -> bytes:
    """Return the document with a user; the same where they are in it."""
    key, hashes = (secrets.token_bytes(KEY_BYTES), {}) if content is None else _parse(path, content)
    name = _hash(key, user_id)
    if content is not None and name in hashes:
        return content
    hashes[name] = now_text()
    return json.dumps({"key": key.hex(), "forgotten": hashes}, indent=1).encode()


def _hash(key: bytes, user_id: str) -> str:
    return hmac.digest(key, user_id.encode("utf-8", "surrogatepass"), "sha256").hex()


def _read(path: Location) -> tuple[bytes, dict[str, str]] | None:
    try:
        content = read_document(path)
    except OSError as error:
        raise _unusable(path, error) from error
    return None if content is None else _parse(path, content)


def _parse(path: Location, content: bytes) -> tuple[bytes, dict[str, str]]:
    try:
        document = json.loads(content)
        key, hashes = bytes.fromhex(document["key"]), dict(document["forgotten"])
        if len(key) != KEY_BYTES:
            raise ValueError(f"found a key of {len(key)} bytes, expected {KEY_BYTES}")
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise _unusable(path, error) from error
    return key, hashes


def _unusable(path: Location, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"{path}: expected the key and hashes that `rankloop forget` writes ({error}); bring the file back: without it"
        " users who were forgotten would return with their data"
    )
