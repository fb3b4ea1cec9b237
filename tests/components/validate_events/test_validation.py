"""The data contract over whole shops: what becomes clean, and when it is validated rebuild."""

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from components.contracts.errors import ContractBreach
from components.contracts.steps.facts import DayFacts
from components.contracts.tables import CANONICAL
from components.validate_events.validation import resolve_as_of
from tests.components.validate_events.purchases import HEADER, LENIENT, ROWS
from tests.shop_files import PURCHASES, shop_folder

MEASURED = PURCHASES.replace("item =", 'quantity = "units", price = ["paid", "coupon"], item =') + LENIENT


def test_clean_tables_exist_for_every_shop(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + ROWS)

    report = shop.validate()

    assert set(report.handle.versions) == {*CANONICAL, "item_codes", "quarantine"}
    assert (report.rows_in, report.rows_out) == (2, 2)
    assert shop.clean("items") == []


def test_only_new_rows_are_judged(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + ROWS)
    first = shop.validate()
    assert shop.validate().handle == first.handle

    shop.write("purchases.csv", HEADER + ROWS + "c,3,2024-03-01 09:00:00\n")
    report = shop.validate()

    assert (report.rows_in, report.rows_out) == (1, 1)
    assert [row["item_id"] for row in shop.clean()] == ["1", "2", "3"]


def test_an_empty_day_is_reported_and_a_day_may_arrive_late(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + ROWS.replace("03-02", "03-03") + "b,2,2024-03-05 11:00:00\n")
    assert shop.validate().facts.days.empty == ["2024-03-02", "2024-03-04"][:1]

    shop.write("purchases.csv", HEADER + "z,9,2024-03-02 08:00:00\n" + ROWS)
    late = shop.validate()

    assert late.facts.days == DayFacts("2024-03-01", rows=[1, 2, 1], empty=[])


def test_rows_without_a_user_are_kept_and_blank_items_are_not(tmp_path: Path) -> None:
    shop = shop_folder(
        tmp_path, PURCHASES + LENIENT, purchases=HEADER + " ,1,2024-03-01\nnan,1,2024-03-02\na, ,2024-03-03\n"
    )
    facts = shop.validate().facts

    assert [row["user_id"] for row in shop.clean()] == [None, None]
    assert facts.new["events"].without_user == 2
    assert shop.reasons() == ["no item"]


def test_new_rules_judge_everything_anew(tmp_path: Path) -> None:
    shop = shop_folder(
        tmp_path,
        MEASURED,
        purchases="customer,article,bought_at,units,paid,coupon\na,1,2024-03-01,9,1,1\na,2,2024-03-02,1,1,1\n",
    )
    shop.validate()
    shop.write("shop.toml", MEASURED + "max_quantity = 5\n")

    report = shop.validate()

    assert (report.rows_in, report.rows_out) == (2, 1)
    assert shop.reasons() == ["quantity beyond the limit"]


def test_item_codes_are_appended_in_the_order_of_ids_and_never_change(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + "a,m,2024-03-01\na,k,2024-03-01\n")
    shop.validate()
    shop.write("purchases.csv", HEADER + "a,z,2024-03-02\na,a,2024-03-02\n")
    shop.validate()

    assert {row["item_id"]: row["item_code"] for row in shop.clean("item_codes")} == {"k": 0, "m": 1, "a": 2, "z": 3}


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("asked", "newest", "moment"),
    [
        (None, "2024-03-02", "2024-03-01T23:00:00+00:00"),
        (None, "2024-07-01", "2024-06-30T22:00:00+00:00"),
        ("2024-03-01", "2024-03-09", "2024-02-29T23:00:00+00:00"),
        ("2024-03-01T06:00:00", None, "2024-03-01T05:00:00+00:00"),
        ("2024-03-01T06:00:00Z", None, "2024-03-01T06:00:00+00:00"),
    ],
)
def test_a_run_stands_at_what_was_asked_or_at_the_end_of_the_last_complete_day(
    asked: str | None, newest: str | None, moment: str
) -> None:
    known = date.fromisoformat(newest) if newest else None

    assert resolve_as_of(asked, known, BERLIN) == datetime.fromisoformat(moment)


def test_no_events_and_nothing_asked_is_a_breach() -> None:
    with pytest.raises(ContractBreach, match="found no usable event"):
        resolve_as_of(None, None, BERLIN)
