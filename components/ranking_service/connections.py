"""Bounds on what a connection may send, and how long it may take, before a request is whole; the server has none.

A head or a trailer without end would cost more with each byte and hold up every other caller; one that never comes
would hold a file handle for ever. It can go once uvicorn has such limits itself.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 10.0


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's connection, cut off when its next head is too large or too slow."""

    _steps = 0
    _unfinished = 0  # bytes since the last step towards a whole request
    _head_is_open = True
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._cut)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        steps = self._steps
        super().data_received(data)
        self._unfinished = self._unfinished + len(data) if steps == self._steps else 0
        if self.transport.is_closing():
            return
        if self._unfinished > MOST_HEAD_BYTES:
            self.send_400_response(f"The request's head or trailer has more than {MOST_HEAD_BYTES:,} bytes.")
        elif self._head_is_open and self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._cut)

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
        super().on_message_complete()

    def _cut(self) -> None:
        self.transport.close()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
