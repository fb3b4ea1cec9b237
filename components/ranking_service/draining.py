"""Leaving without dropping a request: first say so, then stop."""

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping
from types import FrameType

from components.contracts.errors import ConfigurationError

DRAIN_SECONDS = "RANKLOOP_DRAIN_SECONDS"
MOST_SECONDS = 600.0
Handler = Callable[[int, FrameType | None], None]
log = logging.getLogger("bentoml.rankloop.draining")


class Drain:
    """Whether the service is about to stop; ``readyz`` then answers 503, everything else is answered as ever."""

    def __init__(self, seconds: float = 0.0) -> None:
        """``seconds``: for how long a load balancer may go on sending requests after it was told to stop."""
        self._seconds = seconds
        self.begun = False

    def follow_signals(self) -> None:
        """Come before the server's own handlers of SIGTERM and SIGINT; call it on the loop, once these are set."""
        for number in (signal.SIGTERM, signal.SIGINT):
            stop = signal.getsignal(number)
            if callable(stop):
                signal.signal(number, self._handler(asyncio.get_running_loop(), stop))

    def _handler(self, loop: asyncio.AbstractEventLoop, stop: Handler) -> Handler:
        def handle(number: int, frame: FrameType | None) -> None:
            if self.begun or not self._seconds:
                self.begun = True
                stop(number, frame)
                return
            self.begun = True
            log.info("draining for %s s", self._seconds)
            loop.call_soon_threadsafe(loop.call_later, self._seconds, stop, number, None)

        return handle


def drain_from(variables: Mapping[str, str]) -> Drain:
    """Read for how long to drain.

    Raises:
        ConfigurationError: it is no number of seconds from 0 to 600.
    """
    given = variables.get(DRAIN_SECONDS) or "0"
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MOST_SECONDS:
        raise ConfigurationError(f"{DRAIN_SECONDS}: found {given!r}, expected seconds from 0 to {MOST_SECONDS:.0f}")
    return Drain(seconds)
