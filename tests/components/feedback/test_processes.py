"""Real processes under load, ended in good order and by force: what they promised is counted against what is there."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from components.feedback.reading import served_events, served_lists
from components.feedback.segment_sink import journal_sink
from components.feedback.segments.files import segments
from components.feedback.segments.layout import FeedbackLayout
from components.home.layout import Home
from tests.components.feedback.processes.compaction_processes import workers
from tests.waiting import until

PATIENCE_SECONDS = 60
A_SECOND = 1.0
MEMORY = Path("/dev/shm")


class Writer:
    """A process that writes to a home's log, and what it said."""

    def __init__(self, home: Home, name: str) -> None:
        words = [sys.executable, "-m", "tests.components.feedback.processes.writing_process", str(home.feedback), name]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.said: list[list[str]] = []
        began, now = float("inf"), 0.0
        while now - began < 2 * A_SECOND:
            words = self.process.stdout.readline().split()
            assert words, "the process ended by itself"
            self.said.append(words)
            if words[0] == "list":
                now = float(words[2])
                began = min(began, now)

    def end(self, how: signal.Signals) -> float:
        """End the process; return the monotonic time just before."""
        before = time.monotonic()
        self.process.send_signal(how)
        assert self.process.stdout is not None
        with self.process.stdout as rest:
            self.said += [line.split() for line in rest if line.endswith("\n")]
        self.process.wait(PATIENCE_SECONDS)
        assert self.process.returncode == (0 if how == signal.SIGTERM else -how)
        return before

    def events(self) -> set[str]:
        return {words[1] for words in self.said if words[0] == "event"}

    def lists(self, until: float = float("inf")) -> set[str]:
        return {words[1] for words in self.said if words[0] == "list" and float(words[2]) < until}


@pytest.fixture
def home() -> Iterator[Home]:
    """A home in memory, where there is any: a disk to which other tests write may take a second for itself."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Home(Path(folder))


def logged_events(home: Home) -> set[str]:
    return set(served_events(home)["event_id"].to_pylist())


def logged_lists(home: Home) -> Counter[str]:
    return Counter(served_lists(home, ["request_id"])["request_id"].to_pylist())


def test_a_process_that_is_told_to_end_loses_nothing(home: Home) -> None:
    writer = Writer(home, "a")
    until(lambda: len(workers(home.feedback)) == 1)
    writer.end(signal.SIGTERM)
    assert workers(home.feedback) == []
    assert writer.events() <= logged_events(home)
    assert logged_lists(home) == Counter(writer.lists())
    assert segments(FeedbackLayout(home.feedback).lists) == []


def test_a_killed_process_loses_no_event_and_at_most_a_second_of_lists(home: Home) -> None:
    for name in ("a", "b", "c"):
        writer = Writer(home, name)
        killed_at = writer.end(signal.SIGKILL)
        assert writer.events() <= logged_events(home)
        assert set() < writer.lists(until=killed_at - A_SECOND) <= set(logged_lists(home))
    assert not psutil.wait_procs(workers(home.feedback), PATIENCE_SECONDS)[1]  # they outlive nobody
    before = logged_lists(home)
    journal_sink(home.feedback).close()  # moves what the dead left
    assert logged_lists(home) == before
    assert set(before.values()) == {1}
    assert segments(FeedbackLayout(home.feedback).lists) == []


def test_two_processes_share_a_log(home: Home) -> None:
    one, other = Writer(home, "a"), Writer(home, "b")
    other.end(signal.SIGKILL)
    one.end(signal.SIGTERM)
    assert one.events() | other.events() <= logged_events(home)
    lists = logged_lists(home)
    assert one.lists() <= set(lists)
    assert set(lists.values()) == {1}
