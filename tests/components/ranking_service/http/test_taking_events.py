"""Events are taken once they are on disk, all or none; the next list knows of them."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from components.feedback.acknowledgements import await_acknowledgements
from components.feedback.reading import served_events
from components.feedback.segments.files import SegmentWriter
from components.feedback.segments.records import ServedEvent
from components.feedback.sink import IngestResult
from components.home.shop_note import write_nobody
from components.home.tombstones import add_tombstone
from components.ranking_service.answering.sessions import Sessions
from components.ranking_service.http import taking_events
from components.ranking_service.http.bodies import SMALL_BYTES
from components.ranking_service.live.serving import Serving
from feature_repo.sessions import TTL
from tests.components.feedback.processes.slow_disk import SlowDisk
from tests.components.ranking_service.served_shop import Caller, Stocked, caller_of, serving
from tests.waiting import PATIENCE_SECONDS, until


def event(event_id: str, **changes: Any) -> dict[str, Any]:
    return {"event_id": event_id, "type": "view", "user_id": "u1", "item_id": "i01", **changes}


def send(client: Caller, *events: dict[str, Any]) -> Any:
    answered = client.post("/v1/events", json={"events": events})
    assert answered.status_code == 202, answered.text
    return answered.json()


def refused(client: Caller, *events: dict[str, Any], status: int = 422) -> str:
    answered = client.post("/v1/events", json={"events": events})
    assert answered.status_code == status, answered.text
    assert answered.headers["content-type"] == "application/problem+json"
    return str(answered.json()["detail"])


def on_disk(shop: Stocked) -> dict[str, dict[str, Any]]:
    return {row["event_id"]: row for row in served_events(shop.home).to_pylist()}


def test_what_is_accepted_is_on_disk(shop: Stocked, client: Caller, live: Serving) -> None:
    before = live.now()
    full = event("e1", type="purchase", quantity=2.5, price=9.0, session_id="s", request_id="r")
    assert send(client, full, event("e2")) == {"accepted": 2, "repeated": 0}
    written = on_disk(shop)["e1"]
    assert before <= written.pop("event_time") <= live.now()
    assert before <= written.pop("taken_at") <= live.now()
    assert abs(written.pop("received_at") - datetime.now(UTC)) < timedelta(hours=1)
    assert written == {"event_type": full.pop("type")} | full
    assert on_disk(shop)["e2"]["quantity"] is None


def test_the_same_event_is_taken_once(shop: Stocked, client: Caller) -> None:
    assert send(client, event("twice"), event("twice")) == {"accepted": 1, "repeated": 1}
    assert send(client, event("twice"), event("fresh")) == {"accepted": 1, "repeated": 1}
    ids = served_events(shop.home)["event_id"].to_pylist()
    assert (ids.count("twice"), ids.count("fresh")) == (1, 1)


def test_repeats_count_once_in_the_session_too(shop: Stocked, live: Serving, client: Caller) -> None:
    bought = event("again", user_id="repeater", type="purchase")
    for _ in range(3):
        send(client, bought, bought)
    session = live.sessions.of("repeater", None)
    assert session is not None
    assert len(session) == 1


@pytest.mark.parametrize("user", ["null", "undefined", r"\N", "GUEST"])
def test_events_of_nobody_are_kept_without_a_session(shop: Stocked, live: Serving, client: Caller, user: str) -> None:
    write_nobody(shop.home, ("guest",))
    until(lambda: user in live.unkept)
    send(client, event(f"of {user}", user_id=user, type="purchase"))

    assert on_disk(shop)[f"of {user}"]["user_id"] == user
    assert live.sessions.of(user, None) is None
    assert client.post("/v1/recommend", json={"user_id": user}).json()["fallback"] == "unknown_user"


def test_a_user_is_one_however_the_id_is_written(shop: Stocked, live: Serving, client: Caller) -> None:
    send(client, event("blank", user_id=" u1 "))

    assert on_disk(shop)["blank"]["user_id"] == "u1"
    assert live.sessions.of("u1", None) is not None
    assert client.post("/v1/recommend", json={"user_id": "\tu1"}).json()["fallback"] is None


def test_one_bad_event_refuses_the_batch_and_is_named(shop: Stocked, client: Caller) -> None:
    assert refused(client, event("good"), event("bad", type="stolen")).startswith("events.1.type: ")
    assert "good" not in on_disk(shop)


def moment(live: Serving, seconds: float) -> str:
    return (live.now() + timedelta(seconds=seconds)).isoformat()


def test_a_clock_may_be_a_little_ahead(shop: Stocked, client: Caller, live: Serving) -> None:
    assert send(client, event("ahead", time=moment(live, 290)))["accepted"] == 1
    written = on_disk(shop)["ahead"]
    assert written["event_time"] == written["taken_at"], "it happened now at the latest"
    detail = refused(client, event("kept out"), event("future", time=moment(live, 3600)))
    assert detail.startswith("events.1.time: found ")
    assert "expected a time from 1970 to 300 s after the service's own" in detail
    assert "kept out" not in on_disk(shop)


def test_a_past_time_is_kept_in_utc(shop: Stocked, client: Caller) -> None:
    send(client, event("past", time="2024-02-01T12:00:00+02:00"))
    assert on_disk(shop)["past"]["event_time"] == datetime(2024, 2, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "when",
    [
        "2024-02-01T12:00:00",
        "yesterday",
        "0001-01-01T00:00:00+14:00",
        "1969-12-31T00:00:00Z",
        "1970-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59Z",
        True,
    ],
)
def test_a_time_that_is_none_is_refused(client: Caller, when: Any) -> None:
    assert refused(client, event("when", time=when)).startswith("events.0.time: ")


def test_a_full_disk_acknowledges_nothing(
    shop: Stocked, client: Caller, live: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    purchase = event("refused", user_id="nobody yet", type="purchase")
    with monkeypatch.context() as patch:
        patch.setattr(SegmentWriter, "write", full)
        answered = client.post("/v1/events", json={"events": [purchase]})
    assert (answered.status_code, answered.headers["retry-after"]) == (503, "1")
    assert "No space left on device" in answered.json()["detail"]
    assert "refused" not in on_disk(shop)
    assert live.sessions.of("nobody yet", None) is None
    assert send(client, purchase) == {"accepted": 1, "repeated": 0}


def test_the_next_list_knows_what_was_bought(client: Caller) -> None:
    def features() -> list[Any]:
        return [(item["item_id"], item["score"]) for item in client.recommend("u2", k=20)["items"]]

    before = features()
    send(client, event("bought", user_id="u2", item_id=before[3][0], type="purchase"))
    after = features()
    assert after != before
    assert client.recommend("u2")["fallback"] is None
    send(client, event("shown", user_id="u2", type="shown"), event("unheard", user_id="u2", item_id="unheard of"))
    assert features() == after, "what is shown, or not known, moves nothing"


def test_what_is_bought_shows_on_the_customers_page(client: Caller) -> None:
    assert client.ask("GET", "/v1/customers/u4").json()["bought"][0]["days_since_last"] > 0
    send(client, event("page", user_id="u4", item_id="i10", type="purchase"))
    newest = client.ask("GET", "/v1/customers/u4").json()["bought"][0]
    assert (newest["item_id"], newest["days_since_last"]) == ("i10", 0)


def test_a_stranger_is_shown_what_goes_with_what_they_did(client: Caller) -> None:
    assert client.recommend("passer-by")["fallback"] == "unknown_user"
    send(client, event("first", user_id="passer-by", item_id="i03"))
    assert client.recommend("passer-by")["fallback"] == "session_neighbours"


def test_a_session_is_over_after_its_time(client: Caller, live: Serving) -> None:
    for user, age in (("of late", TTL * 0.9), ("long ago", TTL * 1.1)):
        send(client, event(user, user_id=user, item_id="i03", time=(live.now() - age).isoformat()))
    assert client.recommend("of late")["fallback"] == "session_neighbours"
    assert client.recommend("long ago")["fallback"] == "unknown_user"


def test_what_the_users_row_knows_already_counts_once(client: Caller, shop: Stocked) -> None:
    before = client.recommend("u5", k=20)["items"]
    earlier = (shop.features.as_of - timedelta(seconds=1)).isoformat()
    send(client, event("known", user_id="u5", type="purchase", time=earlier))
    assert client.recommend("u5", k=20)["items"] == before
    send(client, event("news", user_id="u5", type="purchase", time=shop.features.as_of.isoformat()))
    assert client.recommend("u5", k=20)["items"] != before


def test_a_service_that_starts_again_remembers_sessions_and_ids(shop: Stocked, client: Caller, live: Serving) -> None:
    send(client, event("kept", user_id="u6", item_id="i02", type="purchase"))
    expected = client.recommend("u6", k=20)["items"]
    with serving(shop.home) as later:
        again = caller_of(later)
        until(lambda: again.recommend("u6", k=20)["items"] == expected)
        assert send(again, event("kept", user_id="u6", type="purchase"))["repeated"] == 1


def test_what_reaches_the_disk_after_its_caller_was_sent_away_is_known_to_the_next_list(
    client: Caller, live: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(writer: SegmentWriter, lines: bytes) -> None:
        assert was_sent_away.wait(PATIENCE_SECONDS)
        write(writer, lines)

    write, bought, was_sent_away = SegmentWriter.write, served_event("late", "u7", live), threading.Event()
    monkeypatch.setattr(SegmentWriter, "write", slowly)

    async def sent_away() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(live.take([bought]), 0.05)
        was_sent_away.set()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

    before = client.recommend("u7", k=20)["items"]
    asyncio.run(sent_away())
    assert client.recommend("u7", k=20)["items"] != before
    assert send(client, event("late", user_id="u7", type="purchase")) == {"accepted": 0, "repeated": 1}


def test_what_a_killed_service_took_is_known_to_the_next_one_and_counts_once(
    shop: Stocked, client: Caller, live: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(Sessions, "write", lambda *_: 0)
        send(client, *(event(f"unwritten{number}", user_id="u3", type="purchase") for number in range(2)))
        expected = client.recommend("u3", k=20)["items"]
        with serving(shop.home) as later:
            assert caller_of(later).recommend("u3", k=20)["items"] == expected
            held = later.sessions.of("u3", None)
            assert held is not None
            assert len(held) == 2
    until(lambda: not live.sessions.unsettled)
    with serving(shop.home) as again:
        assert caller_of(again).recommend("u3", k=20)["items"] == expected


def test_what_is_taken_while_nothing_is_live_is_known_once_something_is(client: Caller, live: Serving) -> None:
    before, was = client.recommend("u2", k=20)["items"], live.live
    assert was is not None
    live.live = None
    asyncio.run(live.take([served_event("early", "u2", live)]))
    live.put(was)
    assert client.recommend("u2", k=20)["items"] != before


def test_an_event_under_way_when_its_user_is_forgotten_is_waited_for_and_known_to_nobody(
    shop: Stocked, live: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)

    async def forgotten_meanwhile() -> None:
        taking = asyncio.create_task(live.take([served_event("under way", "who is forgotten", live)]))
        assert await asyncio.to_thread(disk.writing.wait, PATIENCE_SECONDS)
        add_tombstone(shop.home.tombstones, "who is forgotten")
        try:
            assert await asyncio.to_thread(await_acknowledgements, shop.home, 1.0) == (0, 1)
        finally:
            disk.go_on.set()
        await taking
        assert await asyncio.to_thread(await_acknowledgements, shop.home, PATIENCE_SECONDS) == (1, 0)

    asyncio.run(forgotten_meanwhile())
    assert live.sessions.of("who is forgotten", None) is None


def test_events_do_not_wait_for_those_who_read_a_slow_store(live: Serving) -> None:
    answered = threading.Event()

    async def taken_meanwhile() -> IngestResult:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        reading = loop.run_in_executor(None, answered.wait)
        try:
            return await asyncio.wait_for(live.take([served_event("meanwhile", "u1", live)]), PATIENCE_SECONDS)
        finally:
            answered.set()
            await reading

    assert asyncio.run(taken_meanwhile()).accepted == 1


def served_event(event_id: str, user_id: str, live: Serving) -> ServedEvent:
    """A purchase just now."""
    now = live.now()
    return ServedEvent(event_id, now, datetime.now(UTC), "purchase", user_id, "i01", taken_at=now)


def test_long_batches_are_taken_one_after_the_other_and_short_ones_beside_them(
    client: Caller, live: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, held = live.take, live.long_batches.held
    long, under_way, seen = list[float](), list[int](), list[set[int]]()

    def noted_turn(caller: str, size: float) -> AbstractAsyncContextManager[None]:
        long.append(size)
        return held(caller, size)

    async def noted(events: Sequence[ServedEvent]) -> IngestResult:
        under_way.append(len(events))
        seen.append(set(under_way))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(long) < 2 or not any(1 in several for several in seen):  # until all have come
                await asyncio.sleep(0.001)
        taken = await take(events)
        under_way.remove(len(events))
        return taken

    monkeypatch.setattr(live.long_batches, "held", noted_turn)
    monkeypatch.setattr(live, "take", noted)
    batches = [[event(f"{count}-{number}") for number in range(count)] for count in (80, 81, 1)]
    answers = client.crowd([("/v1/events", {"events": batch}) for batch in batches])
    assert [answer.json()["accepted"] for answer in answers] == [80, 81, 1]
    assert not any({80, 81} <= several for several in seen)


def test_more_than_may_wait_is_refused(client: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_events, "MAX_WAITING_BYTES", SMALL_BYTES)
    batch = [event(f"many {number}") for number in range(80)]
    assert "MB of events wait already; send them again later" in refused(client, *batch, status=503)
    assert send(client, batch[0]) == {"accepted": 1, "repeated": 0}


def test_what_was_bought_through_one_process_is_in_the_lists_of_another_on_the_same_lmdb(
    shop: Stocked, client: Caller
) -> None:
    with serving(shop.home) as other:
        [bought] = [item["item_id"] for item in caller_of(other).recommend("u6", k=1)["items"]]
        send(client, event("bought elsewhere", user_id="u6", item_id=bought, type="purchase"))
        until(lambda: bought not in [item["item_id"] for item in caller_of(other).recommend("u6", k=10)["items"]])
