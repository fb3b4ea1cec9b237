"""A disk that stands still while a test looks round."""

import threading

import pytest

from components.feedback.segments.files import SegmentWriter
from tests.waiting import PATIENCE_SECONDS


class SlowDisk:
    """Holds every write up until ``go_on`` is set; ``writing`` is set once one has begun."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writing, self.go_on = threading.Event(), threading.Event()
        write = SegmentWriter.write

        def slowly(writer: SegmentWriter, lines: bytes) -> None:
            self.writing.set()
            assert self.go_on.wait(PATIENCE_SECONDS)
            write(writer, lines)

        monkeypatch.setattr(SegmentWriter, "write", slowly)
