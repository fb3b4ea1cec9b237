"""Users of whom the service keeps no session: those who were forgotten, and nobody."""

import time
from collections.abc import Container

from components.contracts.ids import id_of
from components.home.layout import Home
from components.home.shop_note import read_nobody

LOOK_SECONDS = 1.0


class Unkept:
    """Says of a user id whether nothing is kept of it; any thread may ask."""

    def __init__(self, home: Home, forgotten: Container[str]) -> None:
        self._home, self._forgotten = home, forgotten
        self._nobody: frozenset[str] = frozenset()
        self._next_look = 0.0

    def __contains__(self, user_id: object) -> bool:
        return isinstance(user_id, str) and (id_of(user_id, self._nobody) is None or user_id in self._forgotten)

    def follow(self) -> None:
        """Read the shop's words for nobody again, once a second.

        Raises:
            ConfigurationError, StorageError: they cannot be read, and stay as they were.
        """
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        self._nobody = read_nobody(self._home)
