"""A connection is cut off when its caller does not read, over a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from components.ranking_service import connections
from components.ranking_service.connections import BoundedConnection

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


async def until_cut(state: ServerState) -> None:
    while not state.connections:
        await asyncio.sleep(0.01)
    while state.connections:
        await asyncio.sleep(0.01)


def test_who_reads_no_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READ_SECONDS", 0.2)

    async def unread() -> int:
        async with asked() as (state, reader):
            await asyncio.wait_for(until_cut(state), 60)
            return len(await reader.read())

    assert asyncio.run(unread()) < len(BODY)


def test_who_reads_slowly_is_given_the_whole_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READ_SECONDS", 60)

    async def read() -> int:
        async with asked() as (_, reader):
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.3)
            return len(await reader.readexactly(len(BODY)))

    assert asyncio.run(read()) == len(BODY)
