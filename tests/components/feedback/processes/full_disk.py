"""A log on a disk that fills up, and that has space again.

    unshare --map-root-user --mount python -m tests.components.feedback.processes.full_disk FOLDER

Ends with exit code 0 if all that was promised is there. Needs a mount namespace of its own, for the disk is a small
tmpfs.
"""

import asyncio
import sys
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

from components.feedback.acknowledgements import TombstoneAcknowledger, await_acknowledgements
from components.feedback.group_writer import WritingLimits
from components.feedback.reading import served_events, served_lists
from components.feedback.segment_sink import SegmentSink, journal_sink
from components.feedback.segments.layout import FeedbackLayout
from components.feedback.sink import EventsRefusedError
from components.home.layout import Home
from components.home.tombstones import TombstoneView
from components.ranking_service.live.clocks import ServiceClock
from tests.components.feedback.rows import MOMENT, a_list, an_event, nothing_is_held
from tests.pipelines.whole_runs.filling_disk import disk_of, expect, resize

SMALL, LARGER, ENOUGH = 200, 400, 100_000  # kilobytes
WAITING = 50
PATIENCE_SECONDS = 60


class Load:
    """Lists and events on their way into a log, and what was promised of them."""

    def __init__(self, log: SegmentSink) -> None:
        self.log, self.events, self.lists = log, set[str](), set[str]()
        self._numbers = count()

    def step(self) -> bool:
        """Show a list and hand in an event; say whether the event was taken."""
        name = f"n{next(self._numbers)}"
        if self.log.show(a_list(name)):
            self.lists.add(name)
        try:
            asyncio.run(self.log.take([an_event(name)]))
        except EventsRefusedError:
            return False
        self.events.add(name)
        return True


def until(load: Load, taken: bool) -> None:
    """Go on until the log takes events, or refuses them."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while load.step() is not taken:
        expect(time.monotonic() < ends, f"events are {'still refused' if taken else 'taken without end'}")


def go_on(home: Home) -> None:
    """Keep the time and follow who was forgotten while nothing can be written; both are written down afterwards."""
    filler = home.root / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    followed, clock = TombstoneAcknowledger(home, TombstoneView(home.tombstones)), ServiceClock(home.feedback, MOMENT)
    expect(await_acknowledgements(home, 0) == (0, 1), "a process said what it could not write")
    expect(not FeedbackLayout(home.feedback).clock.exists(), "the clock was written")
    filler.unlink()
    clock.follow()
    ends = time.monotonic() + PATIENCE_SECONDS
    while await_acknowledgements(home, 0) != (1, 0):
        followed.follow(nothing_is_held)
        expect(time.monotonic() < ends, "a process does not say what it has done")
    expect(FeedbackLayout(home.feedback).clock.exists(), "the clock was not written")
    followed.close()


def main(folder: Path) -> None:
    """Fill the disk twice, and make room each time."""
    home = Home(folder / "disk")
    with disk_of(SMALL, home.root):
        with journal_sink(home.feedback, WritingLimits(lists=WAITING, retry_seconds=0.1)) as log:
            load = Load(log)
            for enough in (LARGER, ENOUGH):
                until(load, taken=False)
                for _ in range(2 * WAITING):
                    load.step()
                expect(log.facts.lists_dropped and log.facts.events_refused, f"nothing was refused: {log.facts}")
                expect(log.facts.lists_queued <= WAITING, f"the queue has no bound: {log.facts}")
                resize(home.root, enough)
                until(load, taken=True)
        go_on(home)
        request_ids = set(served_lists(home)["request_id"].to_pylist())
        expect(load.events <= set(served_events(home)["event_id"].to_pylist()), "an event that was taken is lost")
        expect(request_ids == load.lists, f"lists are lost: {sorted(load.lists ^ request_ids)[:5]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
