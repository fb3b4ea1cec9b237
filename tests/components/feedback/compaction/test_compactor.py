"""Lists are moved by a worker of the lowest priority, and is replaced when it is gone."""

import os
from pathlib import Path

import psutil
import pytest

from components.feedback.compaction import compactor
from components.feedback.group_writer import WritingLimits
from components.feedback.segment_sink import SegmentSink, journal_sink
from components.feedback.segments.files import segments
from tests.components.feedback.processes.compaction_processes import workers
from tests.components.feedback.rows import a_list
from tests.waiting import until

QUICK = WritingLimits(write_seconds=0.01, lists_seconds=0.01)  # a list is in a sealed segment at once


def test_a_worker_moves_when_nobody_else_needs_the_processor_and_is_replaced(tmp_path: Path) -> None:
    with journal_sink(tmp_path, QUICK, compaction_seconds=0.01) as log:
        first = _worker_that_moved(tmp_path, log, "r1")
        assert (os.sched_getscheduler(first.pid), first.nice()) == (os.SCHED_IDLE, 19)
        first.kill()
        second = _worker_that_moved(tmp_path, log, "r2")
        assert second.pid != first.pid
        assert log.facts.rows_moved == 2
    assert not second.is_running()
    assert log.facts.rows_moved == 2


def test_what_a_stopped_worker_left_is_moved_at_the_end(tmp_path: Path) -> None:
    with journal_sink(tmp_path, QUICK, compaction_seconds=0.01) as log:
        stopped = _worker_that_moved(tmp_path, log, "r1")
        stopped.suspend()
        log.show(a_list("r2"))
        until(lambda: log.facts.lists_written == 2)
    assert not stopped.is_running()
    assert log.facts.rows_moved == 2


def test_a_folder_that_cannot_be_looked_at_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([OSError("too many open files")])

    def refusing(folder: Path) -> list[Path]:
        if refused := next(looks, None):
            raise refused
        return segments(folder)

    monkeypatch.setattr(compactor, "segments", refusing)
    with journal_sink(tmp_path, QUICK, compaction_seconds=0.01) as log:
        until(lambda: log.facts.move_failures == 1)
        _worker_that_moved(tmp_path, log, "r1")


def _worker_that_moved(folder: Path, log: SegmentSink, request_id: str) -> psutil.Process:
    """The process that moved a list which is shown now."""
    before = log.facts.rows_moved
    log.show(a_list(request_id))
    until(lambda: log.facts.rows_moved == before + 1)
    (found,) = workers(folder)
    return found
