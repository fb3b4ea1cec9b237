"""What the acceptance prints at its end: how long each part took, what each pod used, which fence refused what."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

LINES: list[str] = []


def note(line: str) -> None:
    """Keep a line for the end, and show it now."""
    LINES.append(line)
    print(f"  {line}", flush=True)


@contextmanager
def timed(part: str) -> Iterator[None]:
    """Note how long a part took."""
    print(f"\n{part} …", flush=True)
    begun = time.monotonic()
    yield
    note(f"{time.monotonic() - begun:6.0f} s  {part}")
