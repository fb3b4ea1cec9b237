"""A service that waits between its look at the tombstones and its write: ``python -m … BUCKET KEY lists|events``.

It shows a list to ann and one to bob, or takes an event of each. It says ``checked`` before it writes, and writes once
it has read a line.
"""

import asyncio
import sys

from components.feedback.acknowledgements import TombstoneAcknowledger
from components.feedback.segment_sink import SegmentSink, bucket_sink
from components.home.layout import Home
from components.home.storage.locations import BucketPath
from components.home.tombstones import TombstoneView
from tests.components.feedback.rows import a_list, an_event


def write(sink: SegmentSink, kind: str) -> None:
    """Keep lists or events."""
    if kind == "events":
        asyncio.run(sink.take([an_event("e1", user_id="ann"), an_event("e2", user_id="bob")]))
    else:
        assert sink.show(a_list("r1", user_id="ann"))
        assert sink.show(a_list("r2", user_id="bob"))


def main(home: Home, feedback: BucketPath, kind: str) -> None:
    """Announce the process, and write."""
    known = TombstoneView(home.tombstones)
    process = TombstoneAcknowledger(home, known)

    def check() -> None:
        process.check_current()
        print("checked", flush=True)
        sys.stdin.readline()

    with bucket_sink(feedback, forgotten=known, check_current=check) as sink:
        write(sink, kind)


if __name__ == "__main__":
    root = BucketPath(sys.argv[1], sys.argv[2])
    main(Home(root), root / "feedback", sys.argv[3])
