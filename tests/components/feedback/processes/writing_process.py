"""A small service under load, to be ended in every way: it shows lists, takes events, and says what it promised.

    python -m tests.components.feedback.processes.writing_process LOCATION NAME

Says ``list ID SECONDS`` for each list that it showed, with the machine's monotonic time, and ``event ID`` once an event
was taken. A TERM ends it in good order.
"""

import asyncio
import signal
import sys
import time
from itertools import count

from components.feedback.group_writer import WritingLimits
from components.feedback.segment_sink import SegmentSink, bucket_sink, journal_sink
from components.home.storage.locations import BucketPath, Location, parse_location
from tests.components.feedback.rows import a_list, an_event

LIMITS = WritingLimits(segment_bytes=20_000)  # so that segments are sealed and moved under load


def say(*words: object) -> None:
    """Write a line that no kill can take back."""
    print(*words, flush=True)


async def show(sink: SegmentSink, name: str) -> None:
    """Show lists without end."""
    for number in count():
        shown = f"{name}-{number}"
        assert sink.show(a_list(shown))
        say("list", shown, time.monotonic())
        await asyncio.sleep(0.001)


async def take(sink: SegmentSink, name: str) -> None:
    """Take events without end."""
    for number in count():
        event = f"{name}-{number}"
        await sink.take([an_event(event)])
        say("event", event)


async def work(sink: SegmentSink, name: str) -> None:
    """Do both until the process is asked to end."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    work = [show(sink, name), *(take(sink, f"{name}{caller}") for caller in range(4))]
    tasks = [asyncio.create_task(each) for each in work]
    await ended.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def main(location: Location, name: str) -> None:
    """Open the sink of a folder or a bucket, work, and close it."""
    with _open(location) as sink:
        asyncio.run(work(sink, name))


def _open(location: Location) -> SegmentSink:
    if isinstance(location, BucketPath):
        return bucket_sink(location)
    return journal_sink(location, LIMITS, compaction_seconds=0.2)


if __name__ == "__main__":
    main(parse_location(sys.argv[1]), sys.argv[2])
