"""Room for connections: fewer than the process may have files open, so that its own files never lack a descriptor.

While all places are taken, a newcomer gets the place of whichever connection has been idle for longest.
"""

import logging
import resource
from typing import Protocol

FILES = 128  # of the service itself: store, journal, bundles that are opened, the process that moves lists
ENOUGH = 65_536  # connections; more would not help one processor
log = logging.getLogger("bentoml.rankloop.connections")


class Guest(Protocol):
    """A connection that may be asked to leave."""

    def leave(self) -> None:
        """Close the connection, on which nothing is under way."""


class Room:
    """Which connections wait for a request; the loop's alone."""

    def __init__(self, limit: int) -> None:
        self._limit, self._is_full = limit, False
        self._idle: dict[Guest, None] = {}  # the one that has waited for longest comes first

    def has_place(self, connections: int) -> bool:
        """Say whether the newest connection may stay; another one may be closed for it."""
        if connections <= self._limit:
            self._is_full = False
            return True
        longest = next(iter(self._idle), None)
        if longest is None:
            self._say_full()
            return False
        self.is_busy(longest)
        longest.leave()
        return True

    def _say_full(self) -> None:
        if not self._is_full:
            log.warning("all %s connections are taken and busy; newcomers are asked to come again", f"{self._limit:,}")
        self._is_full = True

    def is_idle(self, guest: Guest) -> None:
        """Note that a connection waits for a request from now on."""
        self._idle.pop(guest, None)
        self._idle[guest] = None

    def is_busy(self, guest: Guest) -> None:
        """Note that a connection waits no more, or is closed."""
        self._idle.pop(guest, None)


def connection_limit() -> int:
    """Allow this process as many open files as it may have, and return how many of them connections may take."""
    soft, hard = (_number(limit) for limit in resource.getrlimit(resource.RLIMIT_NOFILE))
    wanted = min(hard, ENOUGH)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    files = min(max(soft, wanted), ENOUGH)
    return max(files - FILES, files // 4)


def _number(limit: int) -> int:
    return ENOUGH if limit == resource.RLIM_INFINITY else limit
