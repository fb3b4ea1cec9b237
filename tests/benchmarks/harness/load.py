"""A load generator of its own process: keep-alive connections, requests written as bytes, every answer kept.

Closed loop: each connection asks again when it was answered. Open loop: requests come at given moments, whether
answers come or not, and a latency counts from the moment at which the request was due. Python's garbage collector is
off meanwhile: 0.2 s that this process takes for itself would be counted as the server's.
"""

import asyncio
import gc
import json
import socket
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import uvloop
from numpy.typing import NDArray

Moments = NDArray[np.float64]
CONNECTIONS = 32


@dataclass
class Answers:
    """What came back: milliseconds and statuses (0: no answer) in order; of what was answered also body and moment."""

    milliseconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    bodies: list[bytes] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)

    def quantiles(self, *at: float) -> list[float]:
        """Quantiles of the latency, in milliseconds."""
        return [float(found) for found in np.quantile(self.milliseconds, at)]

    @property
    def answered(self) -> int:
        """Requests that were answered with what they asked for."""
        return self.statuses[200]

    @property
    def asked(self) -> int:
        """All requests."""
        return self.statuses.total()


def post(path: str, document: object) -> bytes:
    """A request as it goes over the wire."""
    body = json.dumps(document).encode()
    about = f"host: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return f"POST {path} HTTP/1.1\r\n{about}\r\n\r\n".encode() + body


def closed_loop(port: int, requests: Sequence[bytes], keep: bool = False) -> Answers:
    """Ask one after another on one connection, with as little between as Python allows."""
    answers = Answers()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            began = time.perf_counter()
            connection.sendall(request)
            status, body = _answer(connection)
            ended = time.perf_counter()
            answers.milliseconds.append((ended - began) * 1e3)
            answers.statuses[status] += 1
            if status == 200:
                answers.moments.append(ended)
            if keep:
                answers.bodies.append(body)
    return answers


def busy_loop(port: int, requests: Sequence[bytes], connections: int = 8) -> tuple[Answers, float]:
    """Ask on several connections at once, each again when it was answered; give the requests a second too."""
    answers = Answers()

    async def ask_all() -> None:
        todo = iter(requests)
        await asyncio.gather(*(_ask_on(port, todo, answers) for _ in range(connections)))

    began = time.perf_counter()
    _run(ask_all())
    return answers, answers.asked / (time.perf_counter() - began)


def evenly(per_second: float, seconds: float) -> Moments:
    """Moments at an even pace, as wrk2 and vegeta keep it: seconds from the start."""
    return np.arange(round(per_second * seconds)) / per_second


def at_random(per_second: float, seconds: float, seed: int = 1) -> Moments:
    """Moments of a Poisson process: seconds from the start."""
    gaps = np.random.default_rng(seed).exponential(1 / per_second, round(per_second * seconds))
    return np.cumsum(gaps)


def open_loop(port: int, requests: Iterator[bytes], moments: Moments) -> Answers:
    """Ask at each moment; a connection that breaks is reopened, and its request counts as lost."""
    answers = Answers()

    async def ask_all() -> None:
        idle: asyncio.Queue[_Connection] = asyncio.Queue()
        for _ in range(CONNECTIONS):
            idle.put_nowait(_Connection(port))
        tasks: set[asyncio.Task[None]] = set()
        for due in (time.perf_counter() + moments).tolist():
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            task = asyncio.create_task(_ask_one(idle, next(requests), due, answers))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        while not idle.empty():
            idle.get_nowait().close()

    _run(ask_all())
    return answers


class _Connection:
    """A connection that opens itself when it is used."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and read its answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_length(head))
        if b"connection: close" in head.lower():
            self.close()
        return _status(head), body

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _ask_on(port: int, todo: Iterator[bytes], found: Answers) -> None:
    connection = _Connection(port)
    for request in todo:
        began = time.perf_counter()
        status, _ = await connection.ask(request)
        found.milliseconds.append((time.perf_counter() - began) * 1e3)
        found.statuses[status] += 1
    connection.close()


async def _ask_one(idle: "asyncio.Queue[_Connection]", request: bytes, due: float, found: Answers) -> None:
    connection = await idle.get()
    try:
        status, body = await connection.ask(request)
    except (OSError, asyncio.IncompleteReadError):
        connection.close()
        status, body = 0, b""
    idle.put_nowait(connection)
    found.milliseconds.append((time.perf_counter() - due) * 1e3)
    found.statuses[status] += 1
    if status == 200:
        found.moments.append(time.perf_counter())
        found.bodies.append(body)


def _run(asking: Coroutine[None, None, None]) -> None:
    """Ask, as lightly as Python can, and without a pause."""
    gc.collect()
    gc.disable()
    try:
        uvloop.run(asking)
    finally:
        gc.enable()


def _answer(connection: socket.socket) -> tuple[int, bytes]:
    received = connection.recv(65536)
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = _length(head)
    while len(body) < length:
        body += connection.recv(65536)
    return _status(head), body


def _status(head: bytes) -> int:
    return int(head[9:12])


def _length(head: bytes) -> int:
    at = head.lower().index(b"content-length:") + 15
    return int(head[at:].split(b"\r\n", 1)[0])
