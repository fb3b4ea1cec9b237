"""A run that loses its home to another while it keeps the log changes nothing of the log from then on."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from components.contracts.errors import HomeBusyError
from components.feedback.compaction.retention import drop_old_feedback
from components.feedback.segments.layout import FeedbackLayout
from components.home.layout import Home
from components.home.storage.documents import list_names
from components.home.storage.held import working_under
from components.home.storage.locations import BucketPath
from tests.components.feedback.rows import LOGGED, a_list, an_event, log_all


@dataclass
class FadingLease:
    """A lease that is lost after a number of checks."""

    checks: int
    epoch: int = 1

    def owns(self, _: BucketPath) -> bool:
        return False

    def check(self) -> None:
        self.checks -= 1
        if self.checks < 0:
            raise HomeBusyError("the lease is lost")


def test_a_run_that_loses_its_lease_stops_before_its_next_write(bucket: BucketPath) -> None:
    home = Home(bucket)
    layout = FeedbackLayout(bucket / "feedback")
    log_all(home.feedback, a_list("r1"), an_event("e1"))
    drop_old_feedback(home, days=1, now=LOGGED)
    logs = layout.impressions / "_delta_log"
    before, events = set(list_names(logs)), list_names(layout.events)
    written = []
    for checks in range(4):  # at the lock; at the deletion; at the vacuum; after the deletion at the events
        with pytest.raises(HomeBusyError), working_under(bucket, FadingLease(checks)):
            drop_old_feedback(home, days=1, now=LOGGED + timedelta(days=9999))
        written.append(len(set(list_names(logs)) - before))
        assert list_names(layout.events) == events
    assert written == [0, 0, 1, 2], "nothing, the deletion, and a checkpoint"
    with working_under(bucket, FadingLease(4)):
        drop_old_feedback(home, days=1, now=LOGGED + timedelta(days=9999))
    assert list_names(layout.events) == []
