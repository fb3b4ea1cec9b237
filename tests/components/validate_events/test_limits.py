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
