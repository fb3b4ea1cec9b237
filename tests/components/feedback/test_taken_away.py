"""A journal whose folder, disk or files are taken away: nothing is acknowledged that nobody could read by name."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.feedback.acknowledgements import TombstoneAcknowledger, await_acknowledgements
from components.feedback.compaction.moving_lists import move_lists
from components.feedback.group_writer import EventLine, GroupWriter, ListLine, WritingLimits
from components.feedback.segment_sink import journal_writer
from components.feedback.segments.files import SegmentWriter, segments, whole_lines
from components.feedback.segments.layout import FeedbackLayout
from components.feedback.sink import EventsRefusedError, IngestResult
from components.home.guarded_folder import GuardedFolder
from components.home.layout import Home
from components.home.tombstones import TombstoneView, add_tombstone
from components.ranking_service.live.clocks import ServiceClock
from tests.components.feedback.rows import nothing_is_held
from tests.waiting import until

QUICK = WritingLimits(write_seconds=0.01, retry_seconds=0.01, close_seconds=0.01)
PATIENCE_SECONDS = 120


@pytest.fixture
def places(tmp_path: Path) -> FeedbackLayout:
    return FeedbackLayout(tmp_path / "feedback")


@pytest.fixture
def journal(places: FeedbackLayout) -> Iterator[GroupWriter]:
    writer = journal_writer(places, QUICK)
    assert take(writer, "e0").accepted == 1
    yield writer
    writer.close()


def take(journal: GroupWriter, event_id: str) -> IngestResult:
    done: Future[IngestResult] = journal.submit([EventLine(event_id, "ann", f"{event_id}\n".encode())])
    return done.result(PATIENCE_SECONDS)


def events_in(places: FeedbackLayout) -> list[str]:
    return b"".join(map(whole_lines, segments(places.events))).decode().split()


@pytest.mark.parametrize("taken", ["feedback", "feedback/journal", "feedback/journal/events"])
def test_events_are_refused_until_the_folder_is_back(
    tmp_path: Path, places: FeedbackLayout, journal: GroupWriter, caplog: pytest.LogCaptureFixture, taken: str
) -> None:
    folder, aside = tmp_path / taken, tmp_path / "aside"
    folder.rename(aside)
    for _ in range(2):
        with pytest.raises(EventsRefusedError, match=r"the disk refuses \(was moved away; bring it back, "):
            take(journal, "e1")
    assert f"start empty: '{folder}'" in caplog.text
    assert not folder.exists(), "what was taken away could not take its place then"
    aside.rename(folder)
    assert take(journal, "e1").accepted == 1
    assert events_in(places) == ["e0", "e1"]
    assert caplog.text.count("was taken away; what comes goes to a new segment") == 1
    assert caplog.text.count("tried again and again") == 1


def moved(folder: Path) -> None:
    folder.rename(folder.with_name("aside"))


@pytest.mark.parametrize("again", ["feedback", "feedback/journal/events"])
def test_a_journal_begins_afresh_in_a_folder_that_was_made_again(
    tmp_path: Path, places: FeedbackLayout, journal: GroupWriter, again: str
) -> None:
    moved(places.root)
    with pytest.raises(EventsRefusedError):
        take(journal, "e1")
    (tmp_path / again).mkdir(parents=True)
    assert take(journal, "e1").accepted == 1
    assert events_in(places) == ["e1"]


@pytest.mark.parametrize("gone", ["feedback", "feedback/journal", "feedback/journal/events"])
def test_a_folder_that_was_removed_is_made_again(
    tmp_path: Path, places: FeedbackLayout, journal: GroupWriter, gone: str
) -> None:
    shutil.rmtree(tmp_path / gone)
    assert take(journal, "e1").accepted == 1
    assert events_in(places) == ["e1"]


def replaced(segment: Path) -> None:
    content = segment.read_bytes()
    segment.unlink()
    segment.write_bytes(content)


@pytest.mark.parametrize("take_away", [Path.unlink, moved, replaced])
def test_a_segment_that_lost_its_name_is_left(
    places: FeedbackLayout, journal: GroupWriter, take_away: Callable[[Path], None]
) -> None:
    (segment,) = segments(places.events)
    take_away(segment)
    assert take(journal, "e1").accepted == 1
    assert events_in(places)[-1] == "e1"
    assert segments(places.events)[-1] != segment


def test_lists_wait_for_their_folder(
    places: FeedbackLayout, journal: GroupWriter, caplog: pytest.LogCaptureFixture
) -> None:
    assert journal.show(ListLine("ann", b"l0\n"))
    until(lambda: not journal.queued)
    moved(places.lists)
    assert journal.show(ListLine("ann", b"l1\n"))
    until(lambda: "cannot be written" in caplog.text)
    assert journal.queued == 1
    places.lists.with_name("aside").rename(places.lists)
    until(lambda: not journal.queued)
    assert b"".join(map(whole_lines, segments(places.lists))) == b"l0\nl1\n"


def test_a_lost_segment_is_noticed_without_anything_to_write(
    places: FeedbackLayout, journal: GroupWriter, caplog: pytest.LogCaptureFixture
) -> None:
    moved(places.root)
    until(lambda: "was taken away" in caplog.text)


def test_what_was_refused_is_not_left_in_a_segment_that_was_taken_away(
    places: FeedbackLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = SegmentWriter(places.events, 1000, 1000)
    writer.write(b"e0\n")
    moved(places.events)
    monkeypatch.setattr(SegmentWriter, "leave_lost", lambda _: None)  # as if it were moved at just that moment
    with pytest.raises(OSError, match="was taken away while it was written"):
        writer.write(b"e1\n")
    (segment,) = segments(places.events.with_name("aside"))
    assert whole_lines(segment) == b"e0\n"


def test_nothing_else_makes_the_folder_again(tmp_path: Path, places: FeedbackLayout, journal: GroupWriter) -> None:
    home = Home(tmp_path)
    clock, follower = (
        ServiceClock(places.root, datetime.now(UTC)),
        TombstoneAcknowledger(home, TombstoneView(home.tombstones)),
    )
    moved(places.root)
    clock.keep()
    follower.follow(nothing_is_held)
    assert move_lists(places) == 0
    assert not places.root.exists()
    places.root.with_name("aside").rename(places.root)
    clock.follow()
    follower.close()
    assert places.clock.exists()


def test_a_process_whose_note_was_taken_away_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    home = Home(tmp_path)
    follower = TombstoneAcknowledger(home, TombstoneView(home.tombstones))
    moved(home.feedback)
    for _ in range(2):
        follower.follow(nothing_is_held)
    assert caplog.text.count("cannot count on this process") == 1
    home.feedback.mkdir()
    add_tombstone(home.tombstones, "ann")
    follower.follow(nothing_is_held)
    assert await_acknowledgements(home, 0.0) == (0, 1)
    follower.follow(nothing_is_held)
    assert await_acknowledgements(home, 0.0) == (1, 0)
    follower.close()
    follower.follow(nothing_is_held)
    assert await_acknowledgements(home, 0.0) == (0, 0)


def test_a_folder_whose_disk_is_not_mounted_is_not_written(tmp_path: Path) -> None:
    """Needs a mount namespace of its own."""
    words = ["unshare", "--map-root-user", "--mount", sys.executable, "-m", f"{__package__}.processes.unmounted_disk"]
    ended = subprocess.run([*words, str(tmp_path)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]


def test_a_folder_that_never_was_is_made(tmp_path: Path) -> None:
    folder = GuardedFolder(tmp_path / "a" / "b")
    folder.ensure()
    folder.ensure()
    assert (tmp_path / "a" / "b").is_dir()
