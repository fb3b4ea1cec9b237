"""A small service under load, to be ended in every way: it shows lists, takes events, and says what it promised.

    python -m tests.components.feedback.writing_process FOLDER NAME

Says ``list ID SECONDS`` for each list that it showed, with the machine's monotonic time, and ``event ID`` once an event
was taken. A TERM ends it in good order.
"""

import asyncio
import signal
import sys
import time
from itertools import count
from pathlib import Path

from components.feedback.journal.log import FeedbackLog, Pace
from tests.components.feedback.rows import a_list, an_event

PACE = Pace(segment_bytes=20_000)  # so that segments are closed and moved under load


def say(*words: object) -> None:
    """Write a line that no kill can take back."""
    print(*words, flush=True)


async def show(log: FeedbackLog, name: str) -> None:
    """Show lists without end."""
    for number in count():
        shown = f"{name}-{number}"
        assert log.show(a_list(shown))
        say("list", shown, time.monotonic())
        await asyncio.sleep(0.001)


async def take(log: FeedbackLog, name: str) -> None:
    """Take events without end."""
    for number in count():
        event = f"{name}-{number}"
        await log.take([an_event(event)])
        say("event", event)


async def work(log: FeedbackLog, name: str) -> None:
    """Do both until the process is told to end."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    at_work = [asyncio.create_task(show(log, name)), *(asyncio.create_task(take(log, f"{name}{n}")) for n in range(4))]
    await ended.wait()
    for task in at_work:
        task.cancel()
    await asyncio.gather(*at_work, return_exceptions=True)


def main(folder: Path, name: str) -> None:
    """Open the log, work, and close it."""
    with FeedbackLog(folder, PACE, move_seconds=0.2) as log:
        asyncio.run(work(log, name))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
