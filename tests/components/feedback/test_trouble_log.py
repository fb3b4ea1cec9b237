"""A trouble that lasts is logged once, and its end once."""

import logging

import pytest

from components.feedback.trouble_log import TroubleLog


def test_a_trouble_is_logged_when_it_begins_changes_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    troubles = TroubleLog(logging.getLogger("rankloop.test"), logging.ERROR)
    troubles.end("nothing was wrong")
    for trouble in ("no disk", "no disk", "100 % full"):
        troubles.say(trouble)
    troubles.end("written again")
    troubles.end("written again")
    troubles.say("100 % full")
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("ERROR", "no disk"),
        ("ERROR", "100 % full"),
        ("WARNING", "written again"),
        ("ERROR", "100 % full"),
    ]
