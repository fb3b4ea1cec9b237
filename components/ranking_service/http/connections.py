"""Bounds on how many connections there are, what each may send, how far ahead, and how long it may take.

A head or a trailer without end would cost more with each byte and hold up every other caller; one that never comes
would hold a file handle for ever. So would what comes while nothing is being answered, such as the rest of a body after
its answer: uvicorn's keep-alive timer is stopped by any byte, and only an answer starts it. Requests that run ahead of
their answers, and answers that are never read, would fill the memory. It can go once uvicorn has such limits itself.

A connection that waits for a request, its first one too, is kept for longer than load balancers and clients do:
who closes first must be the one who asks, else a request meets a connection that is being closed.
"""

import asyncio
import logging
import resource
from typing import Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from components.ranking_service.settings import HttpSettings

OWN_FILES = 128  # of the service itself: store, journal, bundles that are opened, the process that moves lists
MAX_CONNECTIONS = 65_536  # more would not help one processor
MAX_HEAD_BYTES = 64 * 1024
REST_SECONDS = 10.0  # for the rest of a head, or for whatever comes while nothing is being answered
MAX_AHEAD = 100  # requests that wait for the answers to earlier ones
READ_SECONDS = 30.0  # for a caller to read on, once more waits for it than is sent at once
FULL_TEXT = b"All connections are taken; come again in 1 s."
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(FULL_TEXT), FULL_TEXT)
)
log = logging.getLogger("bentoml.rankloop.connections")


class Closable(Protocol):
    """A connection that can be closed while it is idle."""

    def leave(self) -> None:
        """Close the connection, on which nothing is under way."""


class Capacity:
    """How many connections there may be, and which of them wait for a request; the event loop's alone.

    There are fewer than the process may have files open, so that its own files never lack a descriptor. When all places
    are taken, a new connection gets the place of the one that has been idle for longest.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._is_full = limit, False
        self._idle: dict[Closable, None] = {}  # the one that has waited for longest comes first

    def admits(self, connections: int) -> bool:
        """Say whether the newest connection may stay; an idle one may be closed for it."""
        if connections <= self._limit:
            self._is_full = False
            return True
        longest_idle = next(iter(self._idle), None)
        if longest_idle is None:
            self._warn_once()
            return False
        self.mark_busy(longest_idle)
        longest_idle.leave()
        return True

    def mark_idle(self, connection: Closable) -> None:
        """Note that a connection waits for a request from now on."""
        self._idle.pop(connection, None)
        self._idle[connection] = None

    def mark_busy(self, connection: Closable) -> None:
        """Note that a connection waits no more, or is closed."""
        self._idle.pop(connection, None)

    def _warn_once(self) -> None:
        if not self._is_full:
            log.warning("all %s connections are taken and busy; new ones are asked to come again", f"{self._limit:,}")
        self._is_full = True


def connection_limit() -> int:
    """Allow this process as many open files as it may have, and return how many of them connections may take."""
    soft, hard = (_number(limit) for limit in resource.getrlimit(resource.RLIMIT_NOFILE))
    wanted = min(hard, MAX_CONNECTIONS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    files = min(max(soft, wanted), MAX_CONNECTIONS)
    return max(files - OWN_FILES, files // 4)


def _number(limit: int) -> int:
    return MAX_CONNECTIONS if limit == resource.RLIM_INFINITY else limit


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's connection, cut off when what comes without being answered is too much or too slow.

    ``capacity`` and ``keep_alive_seconds`` are the process's: they are set before the first connection.
    """

    capacity = Capacity(MAX_CONNECTIONS)
    keep_alive_seconds = HttpSettings.keep_alive_seconds
    _is_silent = True  # nothing has come yet
    _steps = 0
    _unfinished = 0  # bytes since the last step towards a whole request
    _head_is_open = True
    _deadline: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        super().connection_made(transport)
        self.timeout_keep_alive = self.keep_alive_seconds  # type: ignore[assignment] # uvicorn hands it to call_later
        if not self.capacity.admits(len(self.connections)):
            transport.write(FULL)
            transport.close()
            return
        self._deadline = self.loop.call_later(self.keep_alive_seconds, self._cut)
        self.capacity.mark_idle(self)

    def leave(self) -> None:
        """Close the connection, on which nothing is under way."""
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        self._forget_reading()
        self.capacity.mark_busy(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        steps = self._steps
        self.capacity.mark_busy(self)
        if self._is_silent:
            self._is_silent = False
            self._forget_deadline()
        super().data_received(data)
        self._unfinished = self._unfinished + len(data) if steps == self._steps else 0
        if self.transport.is_closing():
            return
        if len(self.pipeline) > MAX_AHEAD:
            self._cut()
        elif self._unfinished > MAX_HEAD_BYTES:
            self.send_400_response(f"The request's head or trailer has more than {MAX_HEAD_BYTES:,} bytes.")
        elif self._deadline is None and (self._head_is_open or self._is_idle()):
            self._deadline = self.loop.call_later(REST_SECONDS, self._cut)

    def on_message_begin(self) -> None:
        self._steps, self._head_is_open = self._steps + 1, True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._steps, self._head_is_open = self._steps + 1, False
        self._forget_deadline()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._steps += 1
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._steps += 1
        self._forget_deadline()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None and not self.transport.is_closing():
            self.capacity.mark_idle(self)

    def pause_writing(self) -> None:
        self._reading = self._reading or self.loop.call_later(READ_SECONDS, self._cut)
        super().pause_writing()

    def resume_writing(self) -> None:
        self._forget_reading()
        super().resume_writing()

    def _is_idle(self) -> bool:
        """Whether nothing is being answered, as after an early answer, or while a WebSocket's request is not whole."""
        return self.cycle is None or self.cycle.response_complete

    def _cut(self) -> None:
        self.transport.abort()  # without waiting until what is left is read

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _forget_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
