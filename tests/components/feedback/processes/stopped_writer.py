"""A service that waits between its look at the tombstones and its write: ``python -m … BUCKET KEY``.

It shows a list to ann, and takes an event of ann and one of bob. It says ``checked`` before it writes either, and
writes once it has read a line.
"""

import asyncio
import sys

from components.feedback.acknowledgements import TombstoneAcknowledger
from components.feedback.segment_sink import SegmentSink, bucket_sink
from components.home.layout import Home
from components.home.storage.locations import BucketPath
from components.home.tombstones import TombstoneView
from tests.components.feedback.rows import a_list, an_event


async def write(sink: SegmentSink) -> None:
    """Keep the list and the events."""
    await sink.take([an_event("e1", user_id="ann"), an_event("e2", user_id="bob")])
    sink.show(a_list("r1", user_id="ann"))


def main(home: Home, feedback: BucketPath) -> None:
    """Announce the process, and write."""
    known = TombstoneView(home.tombstones)
    process = TombstoneAcknowledger(home, known)

    def check() -> None:
        process.check_current()
        print("checked", flush=True)
        sys.stdin.readline()

    with bucket_sink(feedback, forgotten=known, check_current=check) as sink:
        asyncio.run(write(sink))


if __name__ == "__main__":
    root = BucketPath(sys.argv[1], sys.argv[2])
    main(Home(root), root / "feedback")
