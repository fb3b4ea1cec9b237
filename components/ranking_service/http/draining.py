"""Leaving without dropping a request: first say so, then stop."""

import asyncio
import ctypes
import logging
import signal
from collections.abc import Callable
from types import FrameType

PR_SET_PDEATHSIG = 1
Handler = Callable[[int, FrameType | None], None]
log = logging.getLogger("bentoml.rankloop.draining")


def end_with_parent() -> None:
    """Have the kernel stop this process when the one that started it is gone; without Linux's call, do nothing.

    BentoML's server starts the service as a process of its own, which would answer on when the server was killed.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


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
