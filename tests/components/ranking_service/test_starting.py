"""A service's start: it says what it still reads, and restores what users did from the journal."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest

from components.contracts.moments import EPOCH, MICROSECOND
from components.feedback.reading import LastEvents, last_events
from components.feedback.segments.layout import FeedbackLayout
from components.feedback.segments.records import ServedEvent, event_line
from components.home.layout import Home
from components.materialize_features.packed_rows import open_client
from components.ranking_service.answering.sessions import EVENT_COLUMNS
from components.ranking_service.live import serving as module
from components.ranking_service.live.readings import show_readings
from components.ranking_service.live.serving import Serving
from components.ranking_service.settings import ServiceSettings
from components.ranking_service.telemetry.measures import Measures
from feature_repo.packed_online_store.keys import catalogue_key
from feature_repo.project import PROJECT
from feature_repo.sessions import TTL
from pipelines.serving import carry_over_catalogue
from tests.components.ranking_service.served_shop import Stocked, caller_of, serving


def happened(shop: Stocked, number: int, user: str, days_ago: float = 0, kind: str = "view") -> ServedEvent:
    at = EPOCH + shop.now * MICROSECOND - timedelta(days=days_ago)
    return ServedEvent(f"{user}-{number}", at, datetime.now(UTC), kind, user, f"i{number:02}", taken_at=at)


def write_journal(home: Home, *files: list[ServedEvent]) -> None:
    """Write one file of the journal for each list of events, in place of those that were there."""
    folder = FeedbackLayout(home.feedback).events
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for number, events in enumerate(files):
        (folder / f"{number:020}-0.jsonl").write_bytes(b"".join(map(event_line, events)))


def sessions_of(service: Serving, *users: str) -> list[int]:
    """How many events are known of each user."""
    found = (service.sessions.of(user, None) for user in users)
    return [0 if session is None else len(session) for session in found]


def test_all_users_with_a_session_in_its_window_are_restored(shop: Stocked) -> None:
    files = (
        [happened(shop, 1, "ann", days_ago=9), happened(shop, 1, "old", days_ago=8)],
        [happened(shop, 2, "ann", days_ago=6), happened(shop, 1, "cid", days_ago=8), happened(shop, 2, "dan", 1)],
        [happened(shop, 3, "ann"), happened(shop, 4, "bob"), happened(shop, 5, "bob", kind="shown")],
    )
    write_journal(shop.home, *files)
    with serving(shop.home) as found:
        assert sessions_of(found, "ann", "bob", "cid", "dan", "old") == [2, 1, 0, 1, 0]
        assert (found.sessions.dropped, found.events_left) == (0, 0)


def test_a_file_that_ended_before_the_window_is_not_read(shop: Stocked) -> None:
    write_journal(shop.home, [happened(shop, 1, "ann", days_ago=8)], [happened(shop, 1, "bob")])
    read: list[tuple[int, int]] = []
    with serving(shop.home) as found:
        last_events(shop.home, found.now() - TTL, 10, EVENT_COLUMNS, lambda *files: read.append(files))
    assert read == [(1, 1)]


def test_what_is_beyond_the_limits_is_counted(shop: Stocked, caplog: pytest.LogCaptureFixture) -> None:
    days = {name: [happened(shop, item, name, days_ago=1) for item in range(3)] for name in ("ann", "bob", "cid")}
    write_journal(shop.home, days["ann"], days["bob"], days["cid"])
    with caplog.at_level(logging.WARNING), serving(shop.home, session_events=4) as found:
        assert sessions_of(found, "ann", "bob", "cid") == [0, 1, 3]
        assert "about 5 older events are not restored" in caplog.text
        assert "RANKLOOP_SESSION_EVENTS" in caplog.text
    with serving(shop.home, session_users=2) as found:
        assert sessions_of(found, "ann", "bob", "cid") == [0, 3, 3]
        measures = Measures()
        show_readings(measures, found)
        page = measures.page().decode()
        assert "rankloop_sessions 2.0" in page
        assert "rankloop_sessions_dropped_total 1.0" in page
        assert "rankloop_events_not_restored 0.0" in page


def test_a_start_says_what_it_reads_and_is_ready_at_its_end(shop: Stocked, monkeypatch: pytest.MonkeyPatch) -> None:
    write_journal(shop.home, [happened(shop, 1, "ann")])
    found = Serving(ServiceSettings(shop.home), Measures())
    client = caller_of(found)
    said = [client.ask("GET", "/readyz").text]
    read = module.last_events

    def asked(*given: Any) -> LastEvents:
        asking.set()
        assert go_on.wait(60)
        return read(*given)

    async def started() -> None:
        start = asyncio.create_task(asyncio.to_thread(found.start))
        await asyncio.to_thread(asking.wait, 60)
        said.append(await asyncio.to_thread(lambda: client.ask("GET", "/readyz").text))
        assert found.starting is not None
        go_on.set()
        await start

    asking, go_on = Event(), Event()
    monkeypatch.setattr(module, "last_events", asked)
    try:
        asyncio.run(started())
        assert client.ask("GET", "/livez").status_code == client.ask("GET", "/readyz").status_code == 200
        assert found.starting is None
    finally:
        found.stop()
    assert "still reading the bundles and the item rows" in said[0]
    assert "still reading the events of the last days, 0 of 0 files" in said[1]


def test_a_journal_that_cannot_be_read_is_tried_again(shop: Stocked, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("input/output error")

    write_journal(shop.home, [happened(shop, 1, "ann")])
    with monkeypatch.context() as patch:
        patch.setattr(module, "last_events", broken)
        found = Serving(ServiceSettings(shop.home), Measures())
        found.start()
    try:
        assert sessions_of(found, "ann") == [0]
        assert found.live is not None
        found.put(found.live)
        assert sessions_of(found, "ann") == [1]
    finally:
        found.stop()


def test_a_store_that_was_filled_before_runs_put_words_there_is_given_them_once(shop: Stocked) -> None:
    with open_client(shop.home, shop.features) as client:
        words = client.catalogue()
        client.backend.delete([catalogue_key(PROJECT)])
        carry_over_catalogue(shop.home)
        assert client.catalogue() == words
        client.set_catalogue(b"newer words")
        carry_over_catalogue(shop.home)
        assert client.catalogue() == b"newer words"
        client.set_catalogue(words or b"")


def test_a_service_needs_no_lake(shop: Stocked) -> None:
    def answers() -> list[Any]:
        with serving(shop.home) as found:
            client = caller_of(found)
            answer = client.recommend("u1", k=5, explain=True)
            return [answer["items"], client.ask("GET", "/v1/shop").json()]

    whole = answers()
    lake = shop.home.root / "lake"
    lake.rename(lake.with_name("elsewhere"))
    try:
        assert answers() == whole
    finally:
        lake.with_name("elsewhere").rename(lake)
