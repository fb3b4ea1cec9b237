"""Connections over real sockets: cut off when the caller does not read, kept while idle, never too many."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from components.ranking_service.http import connections
from components.ranking_service.http.connections import BoundedConnection, Capacity, Closable, connection_limit
from tests.waiting import until_async

BODY = bytes(32 * 2**20)  # more than the system holds back for a caller
ASKED = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    length = (b"content-length", b"%d" % len(BODY))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": BODY})


@asynccontextmanager
async def asked() -> AsyncIterator[tuple[ServerState, asyncio.StreamReader]]:
    """A server's connections, of which one has asked; and what it can read."""
    config, state = Config(large, log_config=None), ServerState()
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedConnection(config, state, {}), "127.0.0.1", 0, family=socket.AF_INET
    )
    async with server:
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(ASKED)
        yield state, reader
        writer.close()


def has_unsent(state: ServerState) -> bool:
    """Say whether the server holds what its one caller has not read yet."""
    [connection] = state.connections
    assert isinstance(connection, BoundedConnection)
    return connection.transport.get_write_buffer_size() > 0


def test_who_reads_no_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READ_SECONDS", 0.2)

    async def unread() -> int:
        async with asked() as (state, reader):
            await until_async(lambda: bool(state.connections))
            await until_async(lambda: not state.connections)
            return len(await reader.read())

    assert asyncio.run(unread()) < len(BODY)


def test_who_reads_slowly_is_given_the_whole_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READ_SECONDS", 60)

    async def read() -> int:
        async with asked() as (state, reader):
            await reader.readuntil(b"\r\n\r\n")
            await until_async(lambda: has_unsent(state))
            return len(await reader.readexactly(len(BODY)))

    assert asyncio.run(read()) == len(BODY)


async def small(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class WatchedCapacity(Capacity):
    """Counts the connections that became busy."""

    busy = 0

    def mark_busy(self, connection: Closable) -> None:
        self.busy += 1
        super().mark_busy(connection)


@asynccontextmanager
async def listening(
    limit: int, keep_alive: float, places: Capacity | None = None
) -> AsyncIterator[Callable[[], Awaitable["Caller"]]]:
    """Listen with a capacity of ``limit`` connections; yield what opens another one."""

    class Connection(BoundedConnection):
        capacity = places or Capacity(limit)
        keep_alive_seconds = keep_alive

    config, state = Config(small, log_config=None), ServerState()
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(config, state, {}), "127.0.0.1", 0, family=socket.AF_INET
    )
    callers: list[Caller] = []

    async def called() -> Caller:
        callers.append(Caller(*await asyncio.open_connection(*server.sockets[0].getsockname())))
        return callers[-1]

    async with server:
        yield called
        for caller in callers:
            caller.writer.close()


@dataclass(frozen=True)
class Caller:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self) -> bytes:
        """Ask on the connection, and return the answer's status line."""
        self.writer.write(ASKED)
        status = await self.reader.readline()
        await self.reader.readuntil(b"\r\n\r\nok")
        return status

    async def is_closed(self) -> bool:
        """Wait until the server closes the connection; False: it sent something instead."""
        return await asyncio.wait_for(self.reader.read(1), 60) == b""


@pytest.mark.parametrize("asks_first", [True, False])
def test_an_idle_connection_is_kept_for_as_long_as_was_set(monkeypatch: pytest.MonkeyPatch, asks_first: bool) -> None:
    monkeypatch.setattr(connections, "REST_SECONDS", 0.05)

    async def kept() -> None:
        async with listening(10, keep_alive=60) as called:
            caller = await called()
            if asks_first:
                await caller.ask()
            unfinished = await called()
            unfinished.writer.write(ASKED[:10])
            assert await unfinished.is_closed()
            assert await caller.ask() == b"HTTP/1.1 200 OK\r\n"

    async def closed() -> None:
        async with listening(10, keep_alive=0.2) as called:
            caller = await called()
            if asks_first:
                await caller.ask()
            assert await caller.is_closed()

    asyncio.run(kept())
    asyncio.run(closed())


def test_a_head_that_has_begun_is_not_waited_for_as_an_idle_connection_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REST_SECONDS", 0.05)

    async def begun() -> None:
        async with listening(10, keep_alive=3600) as called:
            for caller in (await called(), await called()):
                caller.writer.write(ASKED[:10])
                assert await caller.is_closed()

    asyncio.run(begun())


def test_a_newcomer_gets_the_place_of_who_has_been_idle_for_longest() -> None:
    async def crowded() -> None:
        async with listening(3, keep_alive=3600) as called:
            first, second, third = [await called() for _ in range(3)]
            await first.ask()
            await third.ask()
            newcomer = await called()
            assert await newcomer.ask() == b"HTTP/1.1 200 OK\r\n"
            assert await second.is_closed()
            for caller in (first, third, newcomer):
                assert await caller.ask() == b"HTTP/1.1 200 OK\r\n"

    asyncio.run(crowded())


def test_a_newcomer_is_asked_to_come_again_while_nobody_is_idle() -> None:
    async def crowded() -> None:
        capacity = WatchedCapacity(2)
        async with listening(2, keep_alive=3600, places=capacity) as called:
            busy = [await called(), await called()]
            for caller in busy:
                caller.writer.write(ASKED[:10])
            await until_async(lambda: capacity.busy == len(busy))
            newcomer = await called()
            refusal = await newcomer.reader.read()
            assert refusal.startswith(b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n")
            for caller in busy:
                caller.writer.write(ASKED[10:])
                assert await caller.reader.readline() == b"HTTP/1.1 200 OK\r\n"
            assert await (await called()).ask() == b"HTTP/1.1 200 OK\r\n"

    asyncio.run(crowded())


@pytest.mark.parametrize(
    ("limits", "expected", "raised"),
    [
        ((256, 256), 128, None),
        ((64, 64), 16, None),
        ((1024, 4096), 3968, (4096, 4096)),
        ((1024, 1_000_000), 65_408, (65_536, 1_000_000)),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 65_408, None),
    ],
)
def test_connections_leave_descriptors_to_the_service(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], expected: int, raised: tuple[int, int] | None
) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(connections.resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(connections.resource, "setrlimit", lambda _, limits_set: set_to.append(limits_set))
    assert connection_limit() == expected
    assert set_to == ([] if raised is None else [raised])
