"""A balancer of connections that sends new ones to services that are ready, as a cluster's endpoints do."""

import asyncio
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

LOOK_SECONDS = 0.1
CHUNK = 65_536


class Balancer:
    """Connections by turns to the services that answer 200 at ``/readyz``; one that was made stays where it is."""

    def __init__(self) -> None:
        self._addresses: list[str] = []  # of services that may get connections
        self._ready: list[str] = []
        self._turn = 0
        self._connections: Counter[str] = Counter()
        self.port = 0

    def add(self, address: str) -> None:
        """Send connections to a service from when it is ready."""
        self._addresses = [*self._addresses, address]

    def remove(self, address: str) -> None:
        """Forget a service that has ended."""
        self._addresses = [each for each in self._addresses if each != address]

    def is_ready(self, address: str) -> bool:
        """Say whether a service gets new connections."""
        return address in self._ready

    def connections(self, address: str) -> int:
        """Return how many connections to a service are open."""
        return self._connections[address]

    async def serve(self, started: threading.Event, ended: asyncio.Event) -> None:
        """Listen on a free port until ``ended``."""
        server = await asyncio.start_server(self._connect, "127.0.0.1")
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        looking = asyncio.create_task(self._look())
        await ended.wait()
        looking.cancel()
        server.close()

    async def _look(self) -> None:
        while True:
            answers = [(each, await asyncio.to_thread(_is_ready, each)) for each in self._addresses]
            self._ready = [each for each, is_ready in answers if is_ready]
            await asyncio.sleep(LOOK_SECONDS)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = self._ready[self._turn % len(self._ready)]
        self._turn += 1
        self._connections[address] += 1
        try:
            place = urlsplit(address)
            backward, forward = await asyncio.open_connection(place.hostname, place.port)
            await asyncio.gather(_pipe(reader, forward), _pipe(backward, writer))
        finally:
            writer.close()
            self._connections[address] -= 1


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=10):
            return True
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def balancing() -> Iterator[Balancer]:
    """Balance while the block lasts."""
    balancer, started, ended, loop = Balancer(), threading.Event(), asyncio.Event(), asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(balancer.serve(started, ended)))
    thread.start()
    started.wait()
    try:
        yield balancer
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
