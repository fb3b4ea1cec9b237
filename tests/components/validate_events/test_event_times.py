"""Event times of every writing, what was known when, and times that cannot be used."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.components.validate_events.purchases import HEADER, LENIENT, ROWS
from tests.shop_files import NOW, PURCHASES, shop_folder

pytestmark = pytest.mark.slow(seconds=20)


def test_naive_times_take_the_shops_zone_and_history_is_known_at_once(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + ROWS)
    shop.validate()

    first = shop.clean()[0]

    assert first["event_time"].isoformat() == "2024-03-01T09:00:00+00:00"
    assert first["available_at"] == first["event_time"]
    assert first["ingested_at"] == NOW


def test_a_lag_says_how_long_after_its_time_a_row_was_known(tmp_path: Path) -> None:
    lagged = PURCHASES.replace("[[events]]", "[[events]]\nlag_minutes = 90")
    shop = shop_folder(tmp_path, lagged, purchases=HEADER + ROWS)
    shop.validate()

    assert {row["available_at"] - row["event_time"] for row in shop.clean()} == {timedelta(minutes=90)}


@pytest.mark.parametrize(
    ("bought_at", "reason"),
    [
        ("2026-01-01 01:00:01", "time in the future"),
        ("yesterday", "unreadable time"),
        ("", "no time"),
        ("2024-10-27 02:30:00", "ambiguous local time"),
        ("2024-03-31 02:30:00", "local time that does not exist"),
        ("0001-01-01", "time before 1990"),
        ("1970-01-01 00:00:00", "time before 1990"),
        ("12000-01-01", "unreadable time"),
        ("-infinity", "unreadable time"),
        ("infinity", "unreadable time"),
        ("epoch", "unreadable time"),
        ("2025-01-01 10:00:00 Europe/Berlin", "unreadable time"),
        ("2025-01-01 10:00:00 CET", "unreadable time"),
        ("2025-01-01 10:00:00-02:00:00", "unreadable time"),
    ],
)
def test_times_that_cannot_be_used_go_to_quarantine(tmp_path: Path, bought_at: str, reason: str) -> None:
    shop = shop_folder(tmp_path, PURCHASES + LENIENT, purchases=HEADER + ROWS + f"c,3,{bought_at}\n")
    shop.validate()

    ((found, row),) = shop.quarantine()

    assert found == reason
    assert "3" in json.loads(row).values()
    assert len(shop.clean()) == 2


@pytest.mark.parametrize(
    ("bought_at", "instant"),
    [
        ("2024-03-01T10:00:00+05:00", "2024-03-01T05:00:00+00:00"),
        ("2024-03-01T10:00:00Z", "2024-03-01T10:00:00+00:00"),
        ("2024-07-01 10:00:00.123456789", "2024-07-01T08:00:00.123456+00:00"),
        ("2024-03-01", "2024-02-29T23:00:00+00:00"),
    ],
)
def test_times_of_every_writing_become_utc(tmp_path: Path, bought_at: str, instant: str) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + f"c,3,{bought_at}\n")
    shop.validate()

    assert shop.clean()[0]["event_time"].isoformat() == instant


def test_a_time_format_reads_other_writings(tmp_path: Path) -> None:
    written = PURCHASES.replace('path = "purchases.csv"', 'path = "purchases.csv", time_format = "%m/%d/%Y %H:%M"')
    counted = PURCHASES.replace('path = "purchases.csv"', 'path = "purchases.csv", time_format = "milliseconds"')
    american = shop_folder(tmp_path / "a", written, purchases=HEADER + "c,3,12/1/2010 8:26\n")
    epoch = shop_folder(tmp_path / "b", counted, purchases=HEADER + "c,3,1291191960123\n")
    american.validate()
    epoch.validate()

    assert american.clean()[0]["event_time"].isoformat() == "2010-12-01T07:26:00+00:00"
    assert epoch.clean()[0]["event_time"].isoformat() == "2010-12-01T08:26:00.123000+00:00"


@pytest.mark.parametrize("bought_at", ["1e30", "9223372036854775807", "-9223372036854775", "inf"])
def test_counts_that_are_no_time_go_to_quarantine(tmp_path: Path, bought_at: str) -> None:
    counted = PURCHASES.replace('path = "purchases.csv"', 'path = "purchases.csv", time_format = "milliseconds"')
    shop = shop_folder(tmp_path, counted + LENIENT, purchases=HEADER + f"a,1,1709251200000\nc,3,{bought_at}\n")
    shop.validate()

    assert [row["item_id"] for row in shop.clean()] == ["1"]
    assert len(shop.reasons()) == 1


def test_a_shop_says_how_early_its_data_begin(tmp_path: Path) -> None:
    old = PURCHASES + "[contract]\nearliest_year = 1970\n"
    shop = shop_folder(tmp_path, old, purchases=HEADER + "a,1,1971-05-01\nb,2,1972-05-01\n")

    assert shop.validate().facts.days.first == "1971-05-01"
