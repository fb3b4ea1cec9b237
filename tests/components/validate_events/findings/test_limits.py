"""Hard limits: what stops a run, and how a home recovers."""

from pathlib import Path

import pytest

from components.contracts.errors import ContractBreach
from tests.components.validate_events.purchases import HEADER, LENIENT, ROWS
from tests.shop_files import PURCHASES, shop_folder, table_rows

CATALOGUE = """
[items]
item = "article"
source = { kind = "csv", path = "items.csv" }
"""


LIMITED = PURCHASES + CATALOGUE + "[contract]\nmax_unknown_items = 0.4\n"


def rows_without_item(number: int) -> str:
    return "c,,2024-03-03\n" * number


def test_a_breach_stops_the_run_and_the_last_good_version_stays(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + ROWS)
    before = shop.validate().handle
    shop.write("purchases.csv", HEADER + ROWS + rows_without_item(11))

    with pytest.raises(
        ContractBreach, match=r"events: 11 of 11 new rows have no item \(limit 0.001, contract.max_missing_items"
    ):
        shop.validate()
    assert len(table_rows(shop.home.clean / "events")) == 2
    assert shop.reasons() == []

    shop.write("shop.toml", PURCHASES + LENIENT)
    assert shop.validate().handle.versions["events"] > before.versions["events"]
    assert shop.reasons() == ["no item"] * 11


def test_a_few_bad_rows_stop_no_run_however_small_the_delivery(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + ROWS)
    shop.validate()
    shop.write("purchases.csv", HEADER + ROWS + rows_without_item(10))
    shop.validate()

    assert len(shop.clean()) == 2
    assert shop.reasons() == ["no item"] * 10


def test_a_shop_may_tolerate_no_bad_row(tmp_path: Path) -> None:
    strict = PURCHASES + "[contract]\ntolerated_rows = 0\n"
    shop = shop_folder(tmp_path, strict, purchases=HEADER + ROWS + rows_without_item(1))

    with pytest.raises(ContractBreach, match="1 of 3 new rows have no item"):
        shop.validate()


def test_a_limit_on_unknown_items_stops_the_run_until_the_catalogue_has_them(tmp_path: Path) -> None:
    many = "".join(f"a,{number},2024-03-03\n" for number in range(40))
    shop = shop_folder(tmp_path, LIMITED, purchases=HEADER + many, items="article\n1\n")

    with pytest.raises(ContractBreach, match=r"39 of 40 rows sold since 2024-02-03 \(39 of 40 items\)"):
        shop.validate()

    shop.write("items.csv", "article\n" + "".join(f"{number}\n" for number in range(40)))
    assert shop.validate().rows_out == 40
