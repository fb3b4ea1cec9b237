"""Leaving: first said, then done."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from components.ranking_service.http.draining import Drain


@pytest.fixture
def stops() -> Iterator[list[int]]:
    """The signals that the server's own handler got."""
    received: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, lambda number, _: received.append(number))
    yield received
    for number, handler in before.items():
        signal.signal(number, handler)


async def _until(condition: list[int]) -> None:
    async with asyncio.timeout(10):
        while not condition:
            await asyncio.sleep(0.01)


def test_the_server_stops_after_the_drain(stops: list[int]) -> None:
    async def serve() -> None:
        drain = Drain(0.2)
        drain.follow_signals()
        assert not drain.begun
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0)
        assert drain.begun
        assert stops == []
        await _until(stops)

    asyncio.run(serve())
    assert stops == [signal.SIGTERM]


def test_a_second_signal_stops_at_once(stops: list[int]) -> None:
    async def serve() -> None:
        Drain(60).follow_signals()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        await _until(stops)

    asyncio.run(serve())
    assert stops == [signal.SIGINT]


def test_without_seconds_the_server_stops_at_once(stops: list[int]) -> None:
    async def serve() -> None:
        drain = Drain()
        drain.follow_signals()
        os.kill(os.getpid(), signal.SIGTERM)
        await _until(stops)
        assert drain.begun

    asyncio.run(serve())


def test_a_process_ends_with_the_one_that_started_it() -> None:
    child = (
        "import time; from components.ranking_service.http.draining import end_with_parent; end_with_parent();"
        " print('follows', flush=True); time.sleep(60)"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "follows\n"
        started.kill()
        assert started.stdout.read() == ""  # the pipe ends when nobody holds it any more
