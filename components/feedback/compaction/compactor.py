"""Moves lists into the table while the service answers: in a separate process, in idle processor time.

A thread would not do. What it does with the interpreter's lock held keeps answers waiting, the longer the less of the
processor it is given.
"""

import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from deltalake.exceptions import DeltaError

from components.contracts.errors import RankloopError, SourceError
from components.feedback.compaction import compaction_worker
from components.feedback.compaction.moving_lists import move_lists
from components.feedback.segments.files import is_sealed, segments
from components.feedback.segments.layout import FeedbackLayout
from components.home.trouble_log import TroubleLog

PATIENCE_SECONDS = 5.0  # at the end, for a move that has begun
JOIN_SECONDS = 0.1
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
log = logging.getLogger("rankloop.feedback")


class SegmentCompactor:
    """Looks for sealed segments now and then, and has them moved."""

    def __init__(self, layout: FeedbackLayout[Path], seconds: float) -> None:
        """Start to look at regular intervals."""
        self._layout, self._seconds = layout, seconds
        self.rows_moved = self.failures = 0
        self._troubles = TroubleLog(log)
        self._worker: subprocess.Popen[str] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feedback-compactor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and move the remaining segments now."""
        self._closing.set()
        self._thread.join(PATIENCE_SECONDS)
        while self._thread.is_alive():
            self._end_worker()  # what it had not committed stays in the journal
            self._thread.join(JOIN_SECONDS)
        self._end_worker()
        self._move(lambda: move_lists(self._layout))

    def _run(self) -> None:
        while not self._closing.wait(self._seconds):
            self._move(self._moved_by_worker)

    def _move(self, moved: Callable[[], int]) -> None:
        try:
            self.rows_moved += moved()
        except (RankloopError, DeltaError, OSError) as error:
            if "lists" not in self._troubles:
                self._troubles.report("lists", f"lists stay in the journal for now ({_one_line(error)})")
            self.failures += 1
            return
        self._troubles.report("lists", None, ended="lists are moved again")

    def _moved_by_worker(self) -> int:
        """Let the worker move sealed segments, and return the number of moved rows.

        Raises:
            SourceError: as ``move_lists``, or the worker ended.
            OSError: a segment cannot be looked at, or the worker ended.
        """
        if not any(is_sealed(segment) for segment in segments(self._layout.lists)):
            return 0
        if self._worker is None or self._worker.poll() is not None:
            self._end_worker()
            self._worker = _started(self._layout)
        return self._ask(self._worker)

    def _ask(self, worker: "subprocess.Popen[str]") -> int:
        assert worker.stdin is not None
        assert worker.stdout is not None
        print(file=worker.stdin, flush=True)
        answer = worker.stdout.readline()
        try:
            document = json.loads(answer)
        except json.JSONDecodeError as error:
            raise SourceError(f"the process that moves lists ended, or said {answer!r}") from error
        if "error" in document:
            raise SourceError(document["error"])
        return int(document["moved"])

    def _end_worker(self) -> None:
        worker = self._worker
        if worker is not None:
            worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                with suppress(OSError):  # a line that it never read
                    pipe.close()  # type: ignore[union-attr] # both are pipes
        self._worker = None


def _started(layout: FeedbackLayout[Path]) -> "subprocess.Popen[str]":
    """Start a process that moves; one group for itself keeps a terminal's interrupt from it."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", compaction_worker.__name__, str(layout.root)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,  # in a session of its own, it would get half of a processor despite its low priority
    )


def _one_line(error: Exception) -> str:
    """Return what an error says; Delta's own errors have several lines, and colours."""
    return " ".join(COLOUR.sub("", str(error)).split())
