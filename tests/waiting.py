"""Waiting for what another thread or process does."""

import asyncio
import time
from collections.abc import Callable

PATIENCE_SECONDS = 600  # what runs only when no other process would may wait for the whole of another test
PAUSE_SECONDS = 0.01


def until(
    holds: Callable[[], bool],
    state: Callable[[], str] = lambda: "it did not come to hold",
    pause: float = PAUSE_SECONDS,
    patience: float = PATIENCE_SECONDS,
) -> None:
    """Wait until something holds; if it takes too long, fail with what ``state`` says."""
    ends = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < ends, state()
        time.sleep(pause)


async def until_async(holds: Callable[[], bool]) -> None:
    """Wait as ``until`` does, while the event loop goes on."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(PAUSE_SECONDS)
