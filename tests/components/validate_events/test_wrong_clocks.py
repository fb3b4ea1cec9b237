"""Rows that a wrong clock dated decide nothing; a shop that was closed and opens again is taken as it is."""

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import pytest

from components.shop.settings import Contract
from components.validate_events.rows.clocks import FAR_AFTER, FAR_BEFORE, far_rows, last_usual_day
from tests.components.validate_events.purchases import HEADER
from tests.shop_files import PURCHASES, ShopFolder, shop_folder

OPENED = date(2024, 1, 1)
USUAL = {OPENED + timedelta(days=day): 20 for day in range(40)}
LAST = max(USUAL)


def later(days: int) -> date:
    return LAST + timedelta(days=days)


def sold(days: Iterable[date], rows: int = 3, at: str = "10:00:00") -> str:
    return "".join(f"u{n},i{n},{day} {at}\n" for day in days for n in range(rows))


@pytest.mark.parametrize(
    ("more", "set_aside"),
    [
        ({later(600): 1}, [(FAR_AFTER, 1)]),
        ({later(40): 4, later(600): 1}, [(FAR_AFTER, 4), (FAR_AFTER, 1)]),
        ({later(600 + day): 3 for day in range(90)}, [(FAR_AFTER, 270)]),  # a till whose clock is years ahead
        ({OPENED - timedelta(days=8000): 1}, [(FAR_BEFORE, 1)]),
        ({OPENED - timedelta(days=100): 1}, []),  # a first sale long before the next
        ({later(30): 1}, []),
        ({later(92 + day): 15 for day in range(2)}, []),  # closed for three months, then open again
        ({later(92): 6}, [(FAR_AFTER, 6)]),  # cannot be distinguished from a wrong clock yet
    ],
)
def test_few_rows_behind_a_long_gap_are_set_aside(more: dict[date, int], set_aside: list[tuple[str, int]]) -> None:
    assert [(rows.reason, rows.rows) for rows in far_rows(USUAL | more, Contract())] == set_aside


def test_a_shop_says_that_its_gap_is_real() -> None:
    assert far_rows(USUAL | {later(92): 6}, Contract(max_gap_days=92)) == ()


@pytest.mark.parametrize(
    ("days", "end"),
    [
        (USUAL, LAST),
        (USUAL | {later(1): 1}, later(1)),  # the day before is complete
        (USUAL | {later(12): 1}, LAST),
        (USUAL | {later(day): 1 for day in range(2, 10)}, LAST),
        ({OPENED: 1, later(1): 1}, later(1)),  # too few rows to know a usual day
        (dict.fromkeys(USUAL, 8) | {later(3): 1}, LAST),
        ({}, None),
    ],
)
def test_data_end_on_the_newest_day_with_a_plausible_share_of_usual_rows(
    days: dict[date, int], end: date | None
) -> None:
    assert last_usual_day(days, Contract()) == end


def open_shop(folder: Path, rows: str = "") -> ShopFolder:
    return shop_folder(folder, PURCHASES, purchases=HEADER + sold(USUAL) + rows)


def of_clocks(warnings: Iterable[str]) -> list[str]:
    return [warning for warning in warnings if "all others" in warning and "contract.max_gap_days (now " in warning]


def test_one_row_with_a_wrong_clock_moves_no_run_and_is_named(tmp_path: Path) -> None:
    expected = open_shop(tmp_path / "right").validate().handle.as_of
    shop = open_shop(tmp_path / "wrong", "u1,i1,2025-11-20 10:00:00\n")

    report = shop.validate()

    assert report.handle.as_of == expected
    assert shop.reasons() == [FAR_AFTER]
    (warning,) = of_clocks(report.warnings)
    assert "1 rows of 2025-11-20 lie 650 days after all others" in warning
    assert "contract.max_gap_days (now 30)" in warning


def test_a_wrong_row_of_a_later_delivery_is_set_aside_and_named_in_every_run(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    before = shop.validate()
    shop.write("purchases.csv", HEADER + sold(USUAL) + "u1,i1,2025-11-20 10:00:00\n")

    reports = [shop.validate(), shop.validate()]

    assert {report.handle.as_of for report in reports} == {before.handle.as_of}
    assert [len(of_clocks(report.warnings)) for report in reports] == [1, 1]
    assert shop.reasons() == [FAR_AFTER]


def test_rows_are_believed_once_the_shop_is_open_again_as_if_all_had_come_at_once(tmp_path: Path) -> None:
    opened = [later(92 + day) for day in range(5)]
    shop = open_shop(tmp_path / "grown", sold(opened[:1], rows=1))
    assert shop.validate().handle.as_of < opened[0].isoformat()
    everything = HEADER + sold(USUAL) + sold(opened[:1], rows=1) + sold(opened[1:])
    shop.write("purchases.csv", everything)
    fresh = shop_folder(tmp_path / "fresh", PURCHASES, purchases=everything)

    grown_report, fresh_report = shop.validate(), fresh.validate()

    assert grown_report.handle.as_of == fresh_report.handle.as_of
    assert shop.reasons() == fresh.reasons() == []
    assert [row["event_id"] for row in shop.clean()] == [row["event_id"] for row in fresh.clean()]
