"""What the service logged makes a run new: events at once, lists when their session is over."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components.feedback.segment_sink import journal_sink
from components.feedback.segments.files import segments
from components.feedback.segments.layout import FeedbackLayout
from pipelines.runs.source_fingerprint import sources_fingerprint
from tests.components.feedback.rows import a_list, an_event
from tests.shop_files import ShopFolder, shop_folder

HOUR = timedelta(hours=1)


@pytest.fixture
def shop(tmp_path: Path) -> ShopFolder:
    return shop_folder(tmp_path, purchases="customer,article,bought_at\nu1,a,2017-03-01 10:00:00\n")


def found(shop: ShopFolder) -> str:
    return sources_fingerprint(shop.shop(), shop.home)


def test_an_event_is_new_at_once_and_once(shop: ShopFolder) -> None:
    before = found(shop)
    with journal_sink(shop.home.feedback) as log:
        asyncio.run(log.take([an_event("e1")]))
        first = found(shop)
        asyncio.run(log.take([an_event("e2")]))
        second = found(shop)
    assert len({before, first, second}) == 3
    assert found(shop) == second


def test_an_event_is_new_though_the_machines_clock_was_set_back(
    shop: ShopFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = FeedbackLayout(shop.home.feedback).events
    with journal_sink(shop.home.feedback) as log:
        asyncio.run(log.take([an_event("e1")]))
    before = found(shop)
    monkeypatch.setattr("components.feedback.segments.files.time.time_ns", lambda: 1)
    with journal_sink(shop.home.feedback) as log:
        asyncio.run(log.take([an_event("e2")]))
        os.utime(segments(folder)[-1], (0, 0))
        first = found(shop)
        asyncio.run(log.take([an_event("e3")]))
        os.utime(segments(folder)[-1], (0, 0))
        second = found(shop)
    assert len({before, first, second}) == 3
    logged = b"".join(segment.read_bytes() for segment in segments(folder))
    assert logged.index(b'"e1"') < logged.index(b'"e2"') < logged.index(b'"e3"'), "names sort by opening"


def test_a_list_is_new_when_its_session_is_over_wherever_it_lies(shop: ShopFolder) -> None:
    now = datetime.now(UTC)
    with journal_sink(shop.home.feedback) as log:
        log.show(a_list("r1", logged_at=now - 2 * HOUR))
        while log.facts.lists_queued:
            pass
        first = found(shop)
        log.show(a_list("r2", logged_at=now))
    assert found(shop) == first != sources_fingerprint(shop.shop())
    with journal_sink(shop.home.feedback) as log:
        log.show(a_list("r3", logged_at=now - HOUR))
    assert found(shop) != first
