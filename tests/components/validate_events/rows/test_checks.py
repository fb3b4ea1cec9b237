"""Rows one by one: what they become, and why they go to quarantine."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.components.validate_events.purchases import HEADER, LENIENT, ROWS
from tests.shop_files import PURCHASES, shop_folder

NUMBERED = PURCHASES.replace("item =", 'event_id = "id", item =') + LENIENT
MEASURED = PURCHASES.replace("item =", 'quantity = "units", price = ["paid", "coupon"], item =') + LENIENT


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


LOGGED = """
[impressions]
request = "request"
user = "user"
item = "item"
time = "time"
position = "position"
features = "features"
source = { kind = "parquet", path = "impressions.parquet" }
"""


def write_impressions(folder: Path, positions: list[int], time: datetime = datetime(2024, 3, 1, tzinfo=UTC)) -> None:
    rows = {
        "request": ["r"] * len(positions),
        "user": ["a"] * len(positions),
        "item": [str(number) for number in range(len(positions))],
        "position": positions,
        "time": [time] * len(positions),
        "features": [[float(number), 2.0] for number in range(len(positions))],
    }
    pq.write_table(pa.table(rows), folder / "impressions.parquet")


def test_impressions_keep_their_features_as_served(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, PURCHASES + LOGGED, purchases=HEADER + ROWS)
    write_impressions(tmp_path, [1, 2])
    shop.validate()

    assert [(row["item_id"], row["features"]) for row in shop.clean("impressions")] == [("0", [0, 2]), ("1", [1, 2])]


def test_positions_that_no_list_has_go_to_quarantine(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, PURCHASES + LOGGED + LENIENT, purchases=HEADER + ROWS)
    write_impressions(tmp_path, [0, 1, 10_000, 10_001, 2_000_000_000])
    shop.validate()

    assert [row["position"] for row in shop.clean("impressions")] == [1, 10_000]
    assert shop.reasons() == ["position outside 1 to 10,000"] * 3


def test_impressions_of_a_broken_clock_go_to_quarantine(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, PURCHASES + LOGGED + LENIENT, purchases=HEADER + ROWS)
    write_impressions(tmp_path, [1], datetime(1970, 1, 1, tzinfo=UTC))
    shop.validate()

    assert shop.clean("impressions") == []
    assert shop.reasons() == ["time before 1990"]
