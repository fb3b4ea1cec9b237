"""Reasons in words: the limit's key and value, what was found, and the key that would read it."""

from pathlib import Path

import pytest

from components.contracts.errors import ContractBreach
from tests.shop_files import PURCHASES, ShopFolder, shop_folder

COLUMNS = "customer,article,bought_at,kind,paid,units\n"
TYPED = PURCHASES.replace('event_type = "purchase"\n', "").replace(
    'time = "bought_at" }', 'time = "bought_at", event_type = "kind", price = "paid", quantity = "units" }'
)
IMPRESSIONS = """
[impressions]
request = "request"
user = "customer"
item = "article"
time = "at"
position = "place"
source = { kind = "csv", path = "shown.csv" }
"""


def shop_with(folder: Path, *cells: str, toml: str = "") -> ShopFolder:
    """A shop with 40 good rows, and one for each text of kind, price and units."""
    rows = [f"u{number},{number},2024-03-03,purchase,1,1" for number in range(40)]
    rows += [f"v{number},{number},2024-03-03,{each}" for number, each in enumerate(cells)]
    return shop_folder(folder, TYPED + toml, purchases=COLUMNS + "\n".join(rows) + "\n")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (
            ["refund,1,1"] * 12 + ["exchange,1,1"],
            "13 unknown event type ('refund' 12 times, 'exchange' 1 times; `events.types` in the shop file",
        ),
        (["purchase,12500000,1"] * 12, "12 prices above contract.max_price = 10,000,000, such as 12,500,000"),
        (["purchase,1,2000000"] * 12, "12 quantities above contract.max_quantity = 1,000,000, such as 2,000,000"),
        (['purchase,"1,99",1'] * 12, "such as '1,99'"),
        (['purchase,"1.250,00",1'] * 12, "(a decimal comma and points: set `source.decimal` and `source.thousands`)"),
        (["purchase,€ 3.50,1"] * 12, "(signs beside the number: export the number alone), such as '€ 3.50'"),
        (["purchase,1,1,7"] * 12, "more cells than columns (`source.delimiter` and `source.quote` say"),
        (["view,1,-2"] * 12, "12 negative quantity, such as -2"),
        (["purchase,-3,1"] * 12, "12 negative price, such as -3"),
    ],
)
def test_a_breach_names_each_limit_by_its_key_with_what_passed_it(tmp_path: Path, cells: list[str], words: str) -> None:
    with pytest.raises(ContractBreach) as caught:
        shop_with(tmp_path, *cells).validate()
    assert words in str(caught.value)


def test_rows_below_the_limit_are_a_warning_and_the_report_knows_their_values(tmp_path: Path) -> None:
    report = shop_with(tmp_path, "refund,1,1", "purchase,99999999,1").validate()
    assert report.warnings == (
        "events: 2 of 42 new rows are set aside: 1 prices above contract.max_price = 10,000,000, such as 99,999,999, "
        "1 unknown event type ('refund' 1 times; `events.types` in the shop file translates them)",
    )
    assert [each.words.partition(" (")[0] for each in report.facts.quarantine] == [
        "prices above contract.max_price = 10,000,000, such as 99,999,999",
        "unknown event type",
    ]


def test_times_name_their_limit_too(tmp_path: Path) -> None:
    rows = "a,1,1899-12-30,purchase,1,1\n" * 12
    shop = shop_folder(tmp_path, TYPED, purchases=COLUMNS + rows)
    with pytest.raises(ContractBreach, match=r"12 times before contract.earliest_year = 1990, such as '1899-12-"):
        shop.validate()


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("20240303", "unreadable time, such as '20240303' (`source.time_format` says how times are written)"),
        ("2024-03-31 02:30", "local time that does not exist (if these are times of another zone, such as UTC, set"),
    ],
)
def test_times_that_cannot_be_read_name_the_key(tmp_path: Path, cell: str, words: str) -> None:
    shop = shop_folder(tmp_path, TYPED, purchases=COLUMNS + f"a,1,{cell},purchase,1,1\n" * 12)
    with pytest.raises(ContractBreach) as caught:
        shop.validate()
    assert words in str(caught.value)


def shown(first: int) -> str:
    rows = [f"r{list_},c,{place},2024-03-02 10:00:00,{first + place}" for list_ in range(12) for place in range(2)]
    return "request,customer,article,at,place\n" + "\n".join(rows) + "\n"


def test_positions_that_count_from_zero_are_named_with_the_key_that_reads_them(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, toml=IMPRESSIONS)
    shop.write("shown.csv", shown(0))
    with pytest.raises(ContractBreach, match=r"they count from zero: set impressions.first_position = 0"):
        shop.validate()
    shop.write("shop.toml", TYPED + IMPRESSIONS + "first_position = 0\n")
    shop.validate()
    assert {row["position"] for row in shop.clean("impressions")} == {1, 2}
