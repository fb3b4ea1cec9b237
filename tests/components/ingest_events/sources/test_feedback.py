"""What the service logged becomes raw rows: each once, lists when their session is over."""

import asyncio
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.contracts.tables import RAW
from components.feedback.erasure import erase_feedback
from components.feedback.segment_sink import journal_sink
from components.feedback.segments.files import segments
from components.feedback.segments.layout import FeedbackLayout
from components.home.data_subject import DataSubject
from components.home.layout import Home
from components.home.storage.locations import BucketPath
from components.ingest_events.ingestion import ingest_events
from components.ingest_events.shop_sources import LISTS
from components.lake.erasure import erase_rows
from components.lake.tables import commit_notes, open_table, read_notes, table_files, table_version
from components.lake.upkeep import compact_table
from tests.components.feedback.rows import LOGGED, MOMENT, a_list, an_event, log_all
from tests.shop_files import PURCHASES, ShopFolder, shop_folder

ROWS = "customer,article,bought_at\nu1,a,2017-03-01 10:00:00\n"
SOON, LATER = LOGGED + timedelta(minutes=29), LOGGED + timedelta(minutes=30)
HOUR = timedelta(hours=1)
SHOWN = (("a", 1), ("b", 2))


@pytest.fixture
def shop(tmp_path: Path) -> ShopFolder:
    return shop_folder(tmp_path, purchases=ROWS)


def served(shop: ShopFolder, table: str) -> list[dict[str, Any]]:
    if table_version(shop.home.raw / table) is None:
        return []
    return [row for row in shop.raw(table) if row["source"] == "served"]


def places(shop: ShopFolder) -> list[tuple[str, str, int]]:
    rows = served(shop, "impressions")
    return sorted((row["request_id"], row["item_id"], row["position"]) for row in rows)


def test_a_home_without_a_log_reads_its_sources_alone(shop: ShopFolder) -> None:
    assert set(shop.ingest().facts.sources) == {"purchases"}


def test_events_become_raw_rows_but_for_acknowledgements(shop: ShopFolder) -> None:
    bought = an_event("e2", event_type="purchase", price=2.5)
    log_all(shop.home.feedback, an_event("e1"), bought, an_event("e3", event_type="shown"))

    report = shop.ingest(SOON)

    rows = {row["event_id"]: row for row in served(shop, "events")}
    assert set(rows) == {"e1", "e2"}
    assert (rows["e2"]["event_type"], rows["e2"]["quantity"], rows["e2"]["price"]) == ("purchase", 1.0, 2.5)
    assert (rows["e1"]["quantity"], rows["e1"]["request_id"], rows["e1"]["event_time"]) == (None, "r1", MOMENT)
    assert report.facts.sources["served"].rows_new == 2


def test_what_was_read_is_not_read_again_even_from_a_segment_that_grew(shop: ShopFolder) -> None:
    with journal_sink(shop.home.feedback) as feedback:
        asyncio.run(feedback.take([an_event("e1")]))
        shop.ingest(SOON)
        asyncio.run(feedback.take([an_event("e2")]))
        shop.ingest(SOON)
        versions = shop.ingest(SOON).handle.versions
    log_all(shop.home.feedback, an_event("e2"), an_event("e3"))
    shop.ingest(LATER)

    assert sorted(row["event_id"] for row in served(shop, "events")) == ["e1", "e2", "e3"]
    assert versions["events"] == 2
    assert shop.ingest(LATER).handle.versions["events"] == 3


def test_an_event_that_two_processes_took_is_one(shop: ShopFolder) -> None:
    with journal_sink(shop.home.feedback) as one, journal_sink(shop.home.feedback) as other:
        asyncio.run(one.take([an_event("e1")]))
        asyncio.run(other.take([an_event("e1"), an_event("e2")]))
        shop.ingest(SOON)
    assert sorted(row["event_id"] for row in served(shop, "events")) == ["e1", "e2"]


def test_a_shop_may_leave_out_what_its_own_sources_bring(shop: ShopFolder) -> None:
    shop.write("shop.toml", PURCHASES + '\n[feedback]\nevents = ["click"]\n')
    log_all(shop.home.feedback, an_event("e1"), an_event("e2", event_type="purchase"))
    shop.ingest(SOON)
    assert [row["event_id"] for row in served(shop, "events")] == ["e1"]


def test_a_list_waits_until_its_session_is_over(shop: ShopFolder) -> None:
    log_all(shop.home.feedback, a_list("r1"), a_list("r2", logged_at=LOGGED + HOUR))
    shop.ingest(SOON)
    assert places(shop) == []

    report = shop.ingest(LATER)

    assert places(shop) == [("r1", "a", 1), ("r1", "b", 2)]
    assert report.facts.sources[LISTS].rows_new == 2
    shop.ingest(LATER + HOUR)
    assert places(shop)[2:] == [("r2", "a", 1), ("r2", "b", 2)]
    assert shop.ingest(LATER + HOUR).handle.versions["impressions"] == 1


def test_lists_are_found_before_and_after_they_are_moved_each_once(shop: ShopFolder) -> None:
    with journal_sink(shop.home.feedback) as feedback:
        feedback.show(a_list("r1"))
        while feedback.facts.lists_queued:
            pass
        shop.ingest(LATER)
        assert feedback.facts.rows_moved == 0
    assert shop.ingest(LATER).rows_in == 0
    assert len(places(shop)) == 2


def test_only_items_that_were_acknowledged_count_where_any_were(shop: ShopFolder) -> None:
    seen = an_event("e1", event_type="shown", item_id="b", request_id="r1")
    elsewhere = an_event("e2", event_type="shown", item_id="a", request_id=None)
    log_all(shop.home.feedback, a_list("r1"), a_list("r2"), seen, elsewhere)
    shop.ingest(LATER)
    assert places(shop) == [("r1", "b", 2), ("r2", "a", 1), ("r2", "b", 2)]


def test_an_item_that_was_clicked_was_shown_though_its_acknowledgement_is_lost(shop: ShopFolder) -> None:
    seen = an_event("e1", event_type="shown", item_id="b", request_id="r1")
    clicked = an_event("e2", event_type="click", item_id="a", request_id="r1")
    log_all(shop.home.feedback, a_list("r1"), a_list("r2"), seen, clicked)
    shop.ingest(LATER)
    assert places(shop) == [("r1", "a", 1), ("r1", "b", 2), ("r2", "a", 1), ("r2", "b", 2)]


def test_each_item_has_its_own_features_as_served(shop: ShopFolder) -> None:
    list_ = a_list("r1")
    log_all(
        shop.home.feedback,
        list_,
        a_list("r2", features=np.zeros(5, np.float32), scores=np.array([np.nan, 1], np.float32)),
    )
    shop.ingest(LATER)

    rows = {(row["request_id"], row["position"]): row for row in served(shop, "impressions")}
    for place in (1, 2):
        values = np.array(rows["r1", place]["features"], np.float32)
        assert np.array_equal(values, list_.features[place - 1], equal_nan=True)
        assert np.float32(rows["r1", place]["score"]) == list_.scores[place - 1]
        assert rows["r2", place]["features"] is None  # five numbers are no two rows
    assert (rows["r2", 1]["score"], rows["r2", 2]["score"]) == (None, 1.0)
    assert rows["r1", 1]["user_id"] == "ü\n1"


def test_events_are_known_when_the_service_took_them_by_the_homes_clock(shop: ShopFolder) -> None:
    log_all(
        shop.home.feedback,
        an_event("on time"),
        an_event("late", event_time=MOMENT - HOUR, taken_at=MOMENT),
        an_event("ahead", event_time=MOMENT + HOUR, taken_at=MOMENT),
    )
    shop.validate(now=LATER)
    clean = [row for row in shop.clean() if row["source"] == "served"]
    assert {row["event_id"]: (row["event_time"], row["available_at"]) for row in clean} == {
        "on time": (MOMENT, MOMENT),
        "late": (MOMENT - HOUR, MOMENT),
        "ahead": (MOMENT, MOMENT),
    }
    assert shop.reasons() == []


def test_ids_in_the_log_are_read_as_those_of_files_are(shop: ShopFolder) -> None:
    log_all(shop.home.feedback, a_list("r1", user_id="undefined"), an_event("e1", user_id=" u1\u200b", item_id="7.0"))
    shop.ingest(LATER)

    events = [(row["user_id"], row["item_id"]) for row in shop.raw("events") if row["source"] == "served"]
    assert events == [("u1", "7")]
    assert {row["user_id"] for row in shop.raw("impressions")} == {None}


def test_lists_become_clean_impressions(shop: ShopFolder) -> None:
    log_all(shop.home.feedback, a_list("r1", user_id="u1"))
    shop.validate(now=LATER)
    assert [(row["request_id"], row["item_id"], row["propensity"]) for row in shop.clean("impressions")] == [
        ("r1", "a", 1.0), ("r1", "b", 1.0),
    ]  # fmt: skip


def test_what_is_too_old_leaves_the_log_and_stays_ingested(shop: ShopFolder) -> None:
    log_all(shop.home.feedback, a_list("r1"))
    shop.ingest(LATER)
    shop.ingest(LOGGED + timedelta(days=181))
    assert len(places(shop)) == 2
    assert shop.ingest(LOGGED + timedelta(days=181)).rows_in == 0


def test_one_ingestion_by_a_wrong_clock_loses_no_list(shop: ShopFolder) -> None:
    log_all(shop.home.feedback, a_list("r1"))
    shop.ingest(LATER + timedelta(days=30))
    log_all(shop.home.feedback, a_list("r2", logged_at=LOGGED + HOUR))
    shop.ingest(LATER + HOUR)
    assert [request for request, _, _ in places(shop)] == ["r1", "r1", "r2", "r2"]


@pytest.mark.parametrize("logged_at", [LOGGED, LOGGED + timedelta(days=30)])
def test_a_wrong_clock_hides_nothing_of_what_was_seen(shop: ShopFolder, logged_at: datetime) -> None:
    log_all(
        shop.home.feedback,
        a_list("r1", logged_at=logged_at),
        an_event("e1", event_type="shown", item_id="b", request_id="r1"),
    )
    for segment in segments(FeedbackLayout(shop.home.feedback).events):
        os.utime(segment, (0, 0))
    shop.ingest(LATER)
    assert places(shop) == [("r1", "b", 2)]


def test_a_list_that_reaches_the_disk_late_is_read(shop: ShopFolder) -> None:
    log_all(shop.home.feedback, a_list("r1", logged_at=LOGGED + timedelta(days=9)))
    shop.ingest(LATER + timedelta(days=9))
    log_all(shop.home.feedback, a_list("r2"))
    shop.ingest(LATER + timedelta(days=9))
    assert [request for request, _, _ in places(shop)] == ["r1", "r1", "r2", "r2"]


@pytest.mark.parametrize("until", [LATER, LATER + timedelta(days=300)])
def test_a_home_whose_offset_was_a_time_loses_and_doubles_nothing(shop: ShopFolder, until: datetime) -> None:
    log_all(shop.home.feedback, a_list("r1"))
    shop.ingest(LATER)
    raw = shop.home.raw / "impressions"
    notes = read_notes(raw)
    notes["sources"]["served"] = {"logged_until": until.isoformat()}
    commit_notes(raw, notes, RAW["impressions"])
    log_all(shop.home.feedback, a_list("r2", logged_at=LOGGED + HOUR))
    shop.ingest(LATER + HOUR)
    assert places(shop) == [("r1", "a", 1), ("r1", "b", 2), ("r2", "a", 1), ("r2", "b", 2)]
    assert set(read_notes(raw)["sources"]["served"]) == {"files"}


def test_lists_are_read_once_also_after_their_files_are_compacted(shop: ShopFolder) -> None:
    table = FeedbackLayout(shop.home.feedback).impressions
    for number in range(3):
        log_all(shop.home.feedback, a_list(f"r{number}", logged_at=LOGGED + number * HOUR))
    shop.ingest(LATER + HOUR)
    assert len(read_notes(shop.home.raw / "impressions")["sources"]["served"]["files"]) == 2, "r2 is not ripe yet"
    assert compact_table(table, small_files=2)
    shop.ingest(LATER + 2 * HOUR)
    assert [request for request, _, _ in places(shop)] == ["r0", "r0", "r1", "r1", "r2", "r2"]
    (kept,) = read_notes(shop.home.raw / "impressions")["sources"]["served"]["files"]
    assert [Path(file).name for file in table_files(table)] == [kept]


def test_what_was_ingested_is_known_though_a_forgotten_users_part_of_its_ids_was_replaced(shop: ShopFolder) -> None:
    person = DataSubject("ann", tombstone="t")
    seen = an_event("ann/e1", event_type="shown", item_id="b", request_id="ann/r1")
    clicked = an_event("ann/e2", item_id="b", request_id="ann/r1")
    log_all(shop.home.feedback, a_list("ann/r1"), a_list("r2"), seen, clicked)
    shop.ingest(LATER)
    for uri in (shop.home.raw / "events", shop.home.raw / "impressions"):
        assert erase_rows(uri, person).parts
    assert erase_feedback(shop.home, person).parts == 3
    log_all(shop.home.feedback, a_list("r3"), an_event("e3"))
    shop.ingest(LATER)
    them = person.part.stand_in
    assert sorted(row["event_id"] for row in served(shop, "events")) == ["e3", f"{them}/e2"]
    assert sorted(places(shop)) == sorted(
        [(f"{them}/r1", "b", 2), *((request, item, place) for request in ("r2", "r3") for item, place in SHOWN)]
    )


def test_a_log_in_a_bucket_is_read_as_one_in_a_folder_is(shop: ShopFolder, bucket: BucketPath) -> None:
    home = Home(bucket)
    raw = {}
    for each in (shop.home, home):
        log_all(each.feedback, a_list("r1"), an_event("e1"), an_event("e2", event_type="purchase"))
        log_all(each.feedback, a_list("r2"), an_event("e3", request_id="r2", event_type="shown"))
        for now in (SOON, LATER, LATER):
            report = ingest_events(shop.shop(), each, now, shop.said.append)
        tables = [open_table(each.raw / table) for table in ("events", "impressions")]
        rows = [table.to_pyarrow_table().to_pylist() for table in tables if table is not None]
        raw[each] = [sorted(map(repr, some)) for some in rows]
        assert report.rows_out == 0
    assert raw[home] == raw[shop.home]
    assert [len(some) for some in raw[home]] == [3, 3]
