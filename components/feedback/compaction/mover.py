"""Moves lists into the table beside the answers: in a process of its own, on what they leave of the processor.

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

from deltalake.exceptions import DeltaError

from components.contracts.errors import RankloopError, SourceError
from components.feedback.compaction import moving_aside
from components.feedback.compaction.moving import move_lists
from components.feedback.journal.segments import is_closed, segments
from components.feedback.places import Places
from components.home.trouble_log import TroubleLog

PATIENCE_SECONDS = 5.0  # at the end, for a move that has begun
A_MOMENT = 0.1
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
log = logging.getLogger("rankloop.feedback")


class Mover:
    """Looks for closed segments now and then, and has them moved."""

    def __init__(self, places: Places, seconds: float) -> None:
        """Begin to look, every so many seconds."""
        self._places, self._seconds = places, seconds
        self.rows_moved = self.failures = 0
        self._troubles = TroubleLog(log)
        self._helper: subprocess.Popen[str] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feedback-mover", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking, and move what is left here and now."""
        self._closing.set()
        self._thread.join(PATIENCE_SECONDS)
        while self._thread.is_alive():
            self._end_helper()  # what it had not committed stays in the journal
            self._thread.join(A_MOMENT)
        self._end_helper()
        self._move(lambda: move_lists(self._places))

    def _run(self) -> None:
        while not self._closing.wait(self._seconds):
            self._move(self._moved_aside)

    def _move(self, moved: Callable[[], int]) -> None:
        try:
            self.rows_moved += moved()
        except (RankloopError, DeltaError, OSError) as error:
            if "lists" not in self._troubles:
                self._troubles.report("lists", f"lists stay in the journal for now ({_one_line(error)})")
            self.failures += 1
            return
        self._troubles.report("lists", None, ended="lists are moved again")

    def _moved_aside(self) -> int:
        """Have the helper move what is closed, and return how many rows it moved.

        Raises:
            SourceError: as ``move_lists``, or the helper ended.
            OSError: a segment cannot be looked at, or the helper ended.
        """
        if not any(is_closed(segment) for segment in segments(self._places.lists)):
            return 0
        if self._helper is None or self._helper.poll() is not None:
            self._end_helper()
            self._helper = _started(self._places)
        return self._helper_told(self._helper)

    def _helper_told(self, helper: "subprocess.Popen[str]") -> int:
        assert helper.stdin is not None
        assert helper.stdout is not None
        print(file=helper.stdin, flush=True)
        answer = helper.stdout.readline()
        try:
            told = json.loads(answer)
        except json.JSONDecodeError as error:
            raise SourceError(f"the process that moves lists ended, or said {answer!r}") from error
        if "error" in told:
            raise SourceError(told["error"])
        return int(told["moved"])

    def _end_helper(self) -> None:
        helper = self._helper
        if helper is not None:
            helper.kill()
            helper.wait()
            for pipe in (helper.stdin, helper.stdout):
                with suppress(OSError):  # a line that it never read
                    pipe.close()  # type: ignore[union-attr] # both are pipes
        self._helper = None


def _started(places: Places) -> "subprocess.Popen[str]":
    """Start a process that moves; one group for itself keeps a terminal's interrupt from it."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", moving_aside.__name__, str(places.root)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,  # a session of its own would be given half of a processor, whatever its priority
    )


def _one_line(error: Exception) -> str:
    """What an error says; Delta's own errors have several lines, and colours."""
    return " ".join(COLOUR.sub("", str(error)).split())
