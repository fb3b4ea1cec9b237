"""Work that is repeated beside other work, on a thread of its own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from components.contracts.errors import RankloopError


@contextmanager
def beside(repeat: Callable[[], None], seconds: float, name: str) -> Iterator[None]:
    """Call something every so many seconds while the body works, and never after it has ended.

    A RankloopError or OSError of one call is passed over: the body meets what is wrong by itself.
    """
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(seconds):
            with suppress(RankloopError, OSError):
                repeat()

    thread = threading.Thread(target=beat, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
