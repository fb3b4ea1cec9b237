"""How long an event waits until it is kept: by the journal on this machine's disk, and by a bucket of a real SeaweedFS.

Run with ``python -m tests.benchmarks.feedback_sinks``. Events come one by one, at a steady rate and beside lists; an
event's time counts from when it was due, so that a sink that stands still is charged for all that came meanwhile. The
sinks take turns. The limit is that of the bucket: p99 of 150 ms at 200 events a second.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from components.feedback.segment_sink import SegmentSink, bucket_sink, journal_sink
from components.feedback.segments.layout import FeedbackLayout
from components.feedback.segments.records import ServedEvent, ServedList, read_events
from components.feedback.segments.segment import list_segments, read_segments
from components.home.storage.locations import BucketPath, Location
from tests.servers import s3_server

ITEMS, FEATURES = 20, 60  # of a list
TURNS = 3
Seconds = NDArray[np.float64]


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=200, help="a second")
    arguments.add_argument("--lists", type=int, default=50, help="a second")
    arguments.add_argument("--seconds", type=float, default=20.0, help="of each turn")
    chosen = arguments.parse_args()
    with TemporaryDirectory() as folder, bucket(Path(folder)) as prefix:
        for turn in range(TURNS):
            for place in (Path(folder) / f"journal-{turn}", prefix / str(turn)):
                print(measured(place, chosen.events, chosen.lists, chosen.seconds), flush=True)


@contextmanager
def bucket(folder: Path) -> Iterator[BucketPath]:
    """Run a server with a bucket, and name it by the variables of this process."""
    work = folder / "s3"
    work.mkdir()
    with s3_server(work) as server:
        os.environ.update(server.environment)
        yield BucketPath("ready", "home")


def measured(place: Location, events: int, lists: int, seconds: float) -> str:
    """Return in words how long events waited for a sink."""
    with bucket_sink(place) if isinstance(place, BucketPath) else journal_sink(place) as sink:
        waits = asyncio.run(load(sink, events, lists, seconds)) * 1e3
        facts = sink.facts
    segments = list_segments(FeedbackLayout(place).events)
    kept = sum(read_events(lines, ["event_id"]).num_rows for lines in read_segments(segments))
    kind = "bucket " if isinstance(place, BucketPath) else "journal"
    return (
        f"{kind}  p50 {np.median(waits):6.1f} ms  p99 {np.quantile(waits, 0.99):6.1f} ms  max {waits.max():6.1f} ms  "
        f"{kept:,} of {len(waits):,} events in {len(segments):,} segments, {facts.lists_dropped} lists dropped"
    )


async def load(sink: SegmentSink, events: int, lists: int, seconds: float) -> Seconds:
    """Show lists and send events, each when it is due; return how long each event took [events]."""
    began = time.monotonic()
    showing = asyncio.create_task(show(sink, lists, began, seconds))
    tasks = []
    for number in range(int(events * seconds)):
        due = began + number / events
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(take(sink, number, due)))
    waits = await asyncio.gather(*tasks)
    await showing
    return np.array(waits)


async def take(sink: SegmentSink, number: int, due: float) -> float:
    """Send one event; return the seconds from when it was due until it was kept."""
    now = datetime.now(UTC)
    event = ServedEvent(f"e{number}", now, now, "click", f"u{number % 997}", "item", request_id=f"r{number}")
    await sink.take([event])
    return time.monotonic() - due


async def show(sink: SegmentSink, rate: int, began: float, seconds: float) -> None:
    """Show lists at a steady rate."""
    features = np.random.default_rng(7).random((ITEMS, FEATURES), np.float32)
    items, now = [f"item {place}" for place in range(ITEMS)], datetime.now(UTC)
    served = ServedList(
        "", now, now, "ann", "bundle", "champion", items, features[:, 0], np.ones(ITEMS), features, "list"
    )
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        sink.show(replace(served, request_id=f"r{number}"))


if __name__ == "__main__":
    main()
