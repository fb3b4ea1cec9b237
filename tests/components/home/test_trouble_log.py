"""A trouble that lasts is logged once, and its end once."""

import logging

import pytest

from components.home.trouble_log import TroubleLog


def test_a_trouble_is_logged_when_it_begins_changes_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    troubles = TroubleLog(logging.getLogger("rankloop.test"), logging.ERROR)
    troubles.report("disk", None, ended="nothing was wrong")
    for message in ("no disk", "no disk", "100 % full"):
        troubles.report("disk", message)
    assert ("disk" in troubles, "store" in troubles) == (True, False)
    troubles.report("store", "no store")
    for _ in range(2):
        troubles.report("disk", None, ended="written again")
    troubles.report("disk", "100 % full")
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("ERROR", "no disk"),
        ("ERROR", "100 % full"),
        ("ERROR", "no store"),
        ("WARNING", "written again"),
        ("ERROR", "100 % full"),
    ]
