"""What was logged is read once, wherever it lies at the moment, until it is too old."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest

from components.feedback.compaction.moving_lists import move_lists
from components.feedback.compaction.retention import drop_old_feedback
from components.feedback.reading import served_events, served_lists
from components.feedback.segment_sink import journal_sink
from components.feedback.segments.files import SegmentWriter, segments
from components.feedback.segments.layout import FeedbackLayout
from components.feedback.segments.records import list_line
from components.home.layout import Home
from tests.components.feedback.rows import LOGGED, a_list, an_event, log_all

DAY = timedelta(days=1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def requests(home: Home) -> list[str]:
    return sorted(served_lists(home)["request_id"].to_pylist())


def open_segment(home: Home, *names: str) -> SegmentWriter:
    """Write lists to a segment that stays open."""
    writer = SegmentWriter(FeedbackLayout(home.feedback).lists, max_bytes=10**9, max_seconds=10**9)
    writer.write(b"".join(list_line(a_list(name)) for name in names))
    return writer


def test_a_home_without_feedback_has_none(home: Home) -> None:
    assert (len(served_lists(home)), len(served_events(home))) == (0, 0)
    drop_old_feedback(home, days=1, now=LOGGED)
    assert not home.feedback.exists()


def test_lists_are_found_in_the_table_and_in_open_and_sealed_segments_each_once(home: Home) -> None:
    with journal_sink(home.feedback) as log:
        log.show(a_list("r1"))
    live, sealed = open_segment(home, "r2", "r1"), open_segment(home, "r3", "r2")
    sealed.close()
    assert requests(home) == ["r1", "r2", "r3"]
    live.close()


def test_only_sealed_segments_are_moved(home: Home) -> None:
    live, sealed = open_segment(home, "r1"), open_segment(home, "r2")
    sealed.close()
    assert move_lists(FeedbackLayout(home.feedback)) == 1
    assert len(segments(FeedbackLayout(home.feedback).lists)) == 1
    live.close()
    assert move_lists(FeedbackLayout(home.feedback)) == 1
    assert requests(home) == ["r1", "r2"]


def test_a_segment_that_a_kill_left_after_its_move_is_not_moved_again(home: Home) -> None:
    open_segment(home, "r1").close()
    segment = segments(FeedbackLayout(home.feedback).lists)[0]
    written = segment.read_bytes()
    move_lists(FeedbackLayout(home.feedback))
    segment.write_bytes(written)
    assert move_lists(FeedbackLayout(home.feedback)) == 0
    assert not segment.exists()
    assert requests(home) == ["r1"]


def test_columns_and_a_time_may_be_chosen(home: Home) -> None:
    with journal_sink(home.feedback) as log:
        log.show(a_list("r1"))
        log.show(a_list("r2", logged_at=LOGGED + DAY))
    open_segment(home, "r3").close()
    lists = served_lists(home, ["request_id", "arm"], since=LOGGED + DAY)
    assert lists.to_pylist() == [{"request_id": "r2", "arm": "champion"}]


def test_the_tables_log_does_not_grow_for_ever(home: Home) -> None:
    for number in range(4):
        log_all(home.feedback, a_list(f"r{number}"))
    commits = FeedbackLayout(home.feedback).impressions / "_delta_log"
    for commit in commits.glob("*.json"):
        os.utime(commit, (LOGGED.timestamp(), LOGGED.timestamp()))
    drop_old_feedback(home, days=9999, now=LOGGED)
    assert len(list(commits.glob("*.json"))) == 1
    log_all(home.feedback, a_list("r4"))
    assert requests(home) == ["r0", "r1", "r2", "r3", "r4"]


def test_what_is_too_old_goes_and_the_rest_stays(home: Home) -> None:
    with journal_sink(home.feedback) as log:
        for number in range(4):
            log.show(a_list(f"r{number}", logged_at=LOGGED + number * DAY))
        asyncio.run(log.take([an_event("old")]))
    old = segments(FeedbackLayout(home.feedback).events)[0]
    os.utime(old, (LOGGED.timestamp(), LOGGED.timestamp()))
    with journal_sink(home.feedback) as log:
        asyncio.run(log.take([an_event("new")]))
        drop_old_feedback(home, days=3, now=LOGGED + 5 * DAY)
        assert requests(home) == ["r2", "r3"]
        assert served_events(home)["event_id"].to_pylist() == ["new"]
