"""One JSON line a request on standard error, written by a thread of its own: a slow terminal holds up no answer."""

import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from components.ranking_service.telemetry.request_context import RequestContext

MAX_LINES = 10_000
FLUSH_SECONDS = 0.1
STOP_SECONDS = 1.0  # for what is left when the service stops, however slow the terminal
MARK_BYTES = 8
STANDARD_ERROR = 2
Write = Callable[[bytes], object]


class RequestLog:
    """A bounded queue of lines; beyond ``MAX_LINES`` that nobody reads, further ones are dropped and counted.

    A user stands in it as a keyed hash. The key is drawn when the service starts and kept nowhere, so that no line
    can be led back to a person later.
    """

    def __init__(self, write: Write | None = None, key: bytes | None = None) -> None:
        """``write`` takes whole lines; by default standard error does."""
        self._write = write or _to_standard_error
        self._key = key or os.urandom(16)
        self._lines: deque[tuple[float, RequestContext]] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write_lines, name="request-log", daemon=True)
        self._reported_dropped = 0
        self.dropped = 0

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, context: RequestContext) -> None:
        """Take a line; never waits."""
        if len(self._lines) >= MAX_LINES:
            self.dropped += 1
        else:
            self._lines.append((time.time(), context))

    def stop(self) -> None:
        """Write what is left, as far as a second allows."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def mark(self, user_id: str) -> str:
        """Return what stands for a user."""
        data = user_id.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, key=self._key, digest_size=MARK_BYTES).hexdigest()

    def _write_lines(self) -> None:
        while not self._stopping.wait(FLUSH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        lines = [self._line(*self._lines.popleft()) for _ in range(len(self._lines))]
        dropped = self.dropped - self._reported_dropped
        if dropped:
            self._reported_dropped = self.dropped
            lines.append({"time": _iso(time.time()), "dropped_lines": dropped})
        if lines:
            self._write(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))

    def _line(self, at: float, context: RequestContext) -> dict[str, Any]:
        fields = {
            "time": _iso(at),
            "request_id": context.request_id,
            "route": context.route,
            "status": int(context.status),
            "ms": round(context.seconds * 1000, 3),
            "caller": context.caller,
            "arm": context.arm,
            "fallback": context.fallback,
            "bundle": context.bundle,
            "user": None if context.user_id is None else self.mark(context.user_id),
        }
        return {name: value for name, value in fields.items() if value is not None}


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _to_standard_error(lines: bytes) -> None:
    while lines:
        try:
            lines = lines[os.write(STANDARD_ERROR, lines) :]
        except OSError:
            return  # nobody reads it any more
