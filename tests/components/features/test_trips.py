"""Shopping trips: a session is a user, an id and a time; without an id, a customer's day where the shop is."""

from dataclasses import replace

import pytest

from tests.components.features.frames import PLAIN, clean_tables, event, item_row, user_row

pytestmark = pytest.mark.slow(seconds=15)

HOUR = 1 / 24


def on_receipt(receipt: str, *days: float, user: str | None = "ann", item: str = "tea", **more: object) -> list[dict]:
    return [event(day, user, item, session_id=receipt, **more) for day in days]


def test_a_receipt_number_that_starts_again_each_day_is_another_trip():
    tables = clean_tables(on_receipt("7", *range(10)))

    user, item = user_row(tables, 12, "ann"), item_row(tables, 12, "tea")

    assert (user["trips"], user["history_trips"], item["purchases_28d"]) == (10, [10], 10)


def test_a_session_over_midnight_is_one_trip():
    tables = clean_tables(on_receipt("web", 0.98, item="tea") + on_receipt("web", 1.02, item="jam"))

    user = user_row(tables, 12, "ann")

    assert (user["trips"], user["basket_items_mean"]) == (1, 2)


@pytest.mark.parametrize(("hours", "trips"), [(6, 1), (6.1, 2)])
def test_an_id_that_comes_back_after_the_gap_is_another_trip(hours, trips):
    tables = clean_tables(on_receipt("7", 1, 1 + hours * HOUR))

    assert user_row(tables, 12, "ann")["trips"] == trips


def test_the_shop_says_how_long_the_gap_is():
    tables = clean_tables(on_receipt("7", 1, 2))

    assert user_row(tables, 12, "ann", replace(PLAIN, session_hours=30.0))["trips"] == 1


def test_nobodys_receipts_of_several_days_are_several_sales():
    tables = clean_tables(on_receipt("7", *range(10), user=None))

    assert item_row(tables, 12, "tea")["purchases_28d"] == 10


def test_a_return_takes_back_from_the_session_of_its_id():
    bought = on_receipt("order 1", 1, quantity=3.0, price=30.0)
    taken_back = on_receipt("order 1", 9, kind="return", quantity=1.0, price=10.0)
    tables = clean_tables(bought + taken_back)

    user, item = user_row(tables, 12, "ann"), item_row(tables, 12, "tea")

    assert (user["trips"], user["history_trips"], user["history_last_units"]) == (1, [1], [2])
    assert (item["price"], item["purchases_28d"]) == (10, 1)


@pytest.mark.parametrize(("zone", "trips"), [("America/Los_Angeles", 10), ("Europe/Berlin", 10), ("UTC", 11)])
def test_a_day_without_sessions_ends_at_the_shops_midnight(zone, trips):
    """In Los Angeles 23:30 and 00:30 of UTC are of one day; the clock change in March moves nothing."""
    first = {"America/Los_Angeles": 64 + 23.5 * HOUR, "Europe/Berlin": 64 + 12 * HOUR, "UTC": 64 + 23.5 * HOUR}[zone]
    tables = clean_tables([event(first + day + late * HOUR, "ann", "tea") for day in range(10) for late in (0, 1)])

    assert user_row(tables, 80, "ann", replace(PLAIN, time_zone=zone))["trips"] == trips
