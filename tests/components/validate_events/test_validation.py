"""The data contract over whole shops: what becomes clean, what goes to quarantine, what stops the run."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components.contracts.errors import ContractBreach
from components.contracts.tables import CANONICAL
from tests.shop_files import NOW, PURCHASES, shop_folder, table_rows

HEADER = "customer,article,bought_at\n"
ROWS = "a,1,2024-03-01 10:00:00\nb,2,2024-03-02 11:00:00\n"
LENIENT = "\n[contract]\nmax_quarantined = 1.0\nmax_missing_items = 1.0\n"
NUMBERED = PURCHASES.replace("item =", 'event_id = "id", item =') + LENIENT
MEASURED = PURCHASES.replace("item =", 'quantity = "units", price = ["paid", "coupon"], item =') + LENIENT


def test_clean_tables_exist_for_every_shop(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + ROWS)

    report = shop.validate()

    assert set(report.clean.versions) == {*CANONICAL, "item_codes", "quarantine"}
    assert (report.rows_in, report.rows_out) == (2, 2)
    assert shop.clean("items") == []


def test_naive_times_take_the_shops_zone_and_history_is_known_at_once(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + ROWS)
    shop.validate()

    first = shop.clean()[0]

    assert first["event_time"].isoformat() == "2024-03-01T09:00:00+00:00"
    assert first["available_at"] == first["event_time"]
    assert first["ingested_at"] == NOW


def test_lag_and_live_say_when_a_row_was_known(tmp_path: Path) -> None:
    live = PURCHASES.replace("[[events]]", "[[events]]\nlive = true")
    lagged = PURCHASES.replace("[[events]]", "[[events]]\nlag_minutes = 90")
    rows = HEADER + ROWS
    (live_shop, lagged_shop) = (
        shop_folder(tmp_path / "live", live, purchases=rows),
        shop_folder(tmp_path / "lagged", lagged, purchases=rows),
    )
    live_shop.validate()
    lagged_shop.validate()

    assert live_shop.clean()[0]["available_at"] == NOW
    assert lagged_shop.clean()[0]["available_at"] - lagged_shop.clean()[0]["event_time"] == timedelta(minutes=90)


def test_only_new_rows_are_judged(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + ROWS)
    first = shop.validate()
    assert shop.validate().clean == first.clean

    shop.write("purchases.csv", HEADER + ROWS + "c,3,2024-03-01 09:00:00\n")
    report = shop.validate()

    assert (report.rows_in, report.rows_out) == (1, 1)
    assert [row["item_id"] for row in shop.clean()] == ["1", "2", "3"]


def test_an_empty_day_is_reported_and_a_day_may_arrive_late(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + ROWS.replace("03-02", "03-03") + "b,2,2024-03-05 11:00:00\n")
    assert shop.validate().facts["days"]["empty"] == ["2024-03-02", "2024-03-04"][:1]

    shop.write("purchases.csv", HEADER + "z,9,2024-03-02 08:00:00\n" + ROWS)
    late = shop.validate()

    assert late.facts["days"] == {"first": "2024-03-01", "rows": [1, 2, 1], "empty": []}


def test_the_first_of_a_repeated_event_id_is_kept(tmp_path: Path) -> None:
    shop = shop_folder(
        tmp_path,
        NUMBERED,
        purchases="id,customer,article,bought_at\nx,b,2,2024-03-02\nx,a,1,2024-03-01\ny,c,3,2024-03-03\n",
    )
    shop.validate()
    assert [(row["event_id"], row["item_id"]) for row in shop.clean()] == [("x", "1"), ("y", "3")]

    shop.write("purchases.csv", "id,customer,article,bought_at\nx,d,4,2024-02-01\n")
    shop.validate()

    assert [row["item_id"] for row in shop.clean()] == ["1", "3"]
    assert shop.reasons() == ["repeated event id"] * 2
    assert sorted(json.loads(row)["item_id"] for _, row in shop.quarantine()) == ["2", "4"]


@pytest.mark.parametrize(
    ("bought_at", "reason"),
    [
        ("2026-01-01 01:00:01", "time in the future"),
        ("yesterday", "unreadable time"),
        ("", "no time"),
        ("2024-10-27 02:30:00", "ambiguous local time"),
        ("2024-03-31 02:30:00", "local time that does not exist"),
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


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("-2,-5,-1", ("return", 2.0, 6.0)),
        ("3,7.5,", ("purchase", 3.0, 7.5)),
        (",,", ("purchase", None, None)),
        ("0,0,0", ("purchase", 0.0, 0.0)),
    ],
)
def test_negative_quantities_are_returns(tmp_path: Path, cells: str, expected: tuple[object, ...]) -> None:
    shop = shop_folder(
        tmp_path, MEASURED, purchases=f"customer,article,bought_at,units,paid,coupon\na,1,2024-03-01,{cells}\n"
    )
    shop.validate()

    row = shop.clean()[0]

    assert (row["event_type"], row["quantity"], row["price"]) == expected


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("many,1,1", "unreadable quantity"),
        ("1,dear,1", "unreadable price"),
        ("1,-1,0", "negative price"),
        ("2e6,1,1", "quantity beyond the limit"),
        ("1,inf,1", "price beyond the limit"),
    ],
)
def test_numbers_out_of_range_go_to_quarantine(tmp_path: Path, cells: str, reason: str) -> None:
    shop = shop_folder(
        tmp_path,
        MEASURED,
        purchases=f"customer,article,bought_at,units,paid,coupon\na,1,2024-03-01,1,1,1\nb,1,2024-03-01,{cells}\n",
    )
    shop.validate()

    assert shop.reasons() == [reason]


def test_types_are_translated_and_unknown_ones_quarantined(tmp_path: Path) -> None:
    typed = (
        PURCHASES.replace('event_type = "purchase"', 'types = { sold = "purchase" }').replace(
            "item =", 'event_type = "what", item ='
        )
        + LENIENT
    )
    whats = ("sold", "view", "gazed", "")
    cells = [f"a,{number},2024-03-01,{what}\n" for number, what in enumerate(whats, start=1)]
    rows = "customer,article,bought_at,what\n" + "".join(cells)
    shop = shop_folder(tmp_path, typed, purchases=rows)
    shop.validate()

    assert [row["event_type"] for row in shop.clean()] == ["purchase", "view"]
    assert shop.reasons() == ["unknown event type"] * 2


def test_rows_without_a_user_are_kept_and_blank_items_are_not(tmp_path: Path) -> None:
    shop = shop_folder(
        tmp_path, PURCHASES + LENIENT, purchases=HEADER + " ,1,2024-03-01\nnan,1,2024-03-02\na, ,2024-03-03\n"
    )
    facts = shop.validate().facts

    assert [row["user_id"] for row in shop.clean()] == [None, None]
    assert facts["new"]["events"]["without_user"] == 2
    assert shop.reasons() == ["no item"]


def test_a_breach_stops_the_run_and_the_last_good_version_stays(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + ROWS)
    before = shop.validate().clean
    shop.write("purchases.csv", HEADER + ROWS + "c,,2024-03-03\n")

    with pytest.raises(
        ContractBreach, match=r"events: 1 of 1 new rows have no item \(limit 0.001, contract.max_missing_items"
    ):
        shop.validate()
    assert len(table_rows(shop.home.clean / "events")) == 2
    assert shop.reasons() == []

    shop.write("shop.toml", PURCHASES + LENIENT)
    assert shop.validate().clean.versions["events"] > before.versions["events"]
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


CATALOGUE = """
[items]
item = "article"
category = ["department", "kind"]
brand = "brand"
attributes = ["size"]
source = { kind = "csv", path = "items.csv" }
[users]
user = "customer"
attributes = ["age"]
source = { kind = "csv", path = "users.csv" }
[rules.not_merchandise]
kind = ["petrol"]
size = ["none"]
item = ["fee"]
"""


def test_the_catalogue_is_judged_and_says_what_is_merchandise(tmp_path: Path) -> None:
    items = (
        "article,department,kind,brand,size\n"
        "1,car,petrol,,\n2,food,,own,big\n2,food,bread,own,big\n3,,milk,,none\n,x,y,z,\n"
    )
    shop = shop_folder(
        tmp_path,
        PURCHASES + CATALOGUE,
        purchases=HEADER + ROWS + "c,9,2024-03-02 12:00:00\nc,fee,2024-03-03\n",
        items=items,
        users="customer,age\na,30\nb,\n",
    )
    facts = shop.validate().facts

    found = {
        row["item_id"]: (row["category"], row["brand"], dict(row["attributes"]), row["is_merchandise"])
        for row in shop.clean("items")
    }
    assert found == {
        "1": (["car", "petrol"], None, {}, False),
        "2": (["food", "bread"], "own", {"size": "big"}, True),
        "3": ([], None, {"size": "none"}, False),
        "fee": ([], None, {}, False),
    }
    assert [dict(row["attributes"]) for row in shop.clean("users")] == [{"age": "30"}, {}]
    assert shop.reasons() == ["no item", "repeated item"]
    assert facts["references"] == {"unknown_items": 1 / 3, "unknown_users": 1 / 3, "not_merchandise_rows": 1}


def test_a_limit_on_unknown_items_stops_the_run(tmp_path: Path) -> None:
    limited = PURCHASES + CATALOGUE + "[contract]\nmax_unknown_items = 0.4\n"
    shop = shop_folder(
        tmp_path,
        limited,
        purchases=HEADER + ROWS,
        items="article,department,kind,brand,size\n1,a,b,c,d\n",
        users="customer,age\n",
    )

    with pytest.raises(ContractBreach, match="1 of 2 new rows have an item that the catalogue lacks"):
        shop.validate()


def test_impressions_keep_their_features_as_served(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    logged = """
[impressions]
request = "request"
user = "user"
item = "item"
time = "time"
position = "position"
features = "features"
source = { kind = "parquet", path = "impressions.parquet" }
"""
    shop = shop_folder(tmp_path, PURCHASES + logged + LENIENT, purchases=HEADER + ROWS)
    rows = {
        "request": ["r", "r"], "user": ["a", "a"], "item": ["1", "2"], "position": [1, 0],
        "time": [datetime(2024, 3, 1, tzinfo=UTC)] * 2, "features": [[1.0, 2.0], [3.0, 4.0]],
    }  # fmt: skip
    pq.write_table(pa.table(rows), tmp_path / "impressions.parquet")
    shop.validate()

    assert [(row["item_id"], row["features"]) for row in shop.clean("impressions")] == [("1", [1.0, 2.0])]
    assert shop.reasons() == ["position below 1"]
