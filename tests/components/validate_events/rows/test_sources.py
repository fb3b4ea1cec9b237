"""Sources that leave the shop file, come back or are renamed: clean tables hold what a fresh home would hold."""

from pathlib import Path
from typing import Any

from tests.components.validate_events.purchases import LENIENT
from tests.shop_files import PURCHASES, ShopFolder, shop_folder

VIEWS = """
[[events]]
name = "views"
event_type = "view"
live = true
source = { kind = "csv", path = "views.csv" }
columns = { user = "customer", item = "article", time = "seen_at" }
"""
IMPRESSIONS = """
[impressions]
request = "request"
user = "customer"
item = "article"
time = "shown_at"
position = "position"
source = { kind = "csv", path = "shown.csv" }
"""
SOURCES = {
    "purchases": "customer,article,bought_at\na,1,2024-03-01\nb,2,2024-03-02\n",
    "views": "customer,article,seen_at\na,1,2024-03-01\na,7,2024-03-03\na,,2024-03-03\n",
    "shown": "request,customer,article,shown_at,position\nr,a,1,2024-03-01,1\nr,a,2,2024-03-01,0\n",
}


def shop_of(folder: Path, toml: str) -> ShopFolder:
    return shop_folder(folder, toml + LENIENT, **SOURCES)


def lake(shop: ShopFolder) -> dict[str, Any]:
    return {table: shop.clean(table) for table in ("events", "impressions")} | {"quarantine": shop.quarantine()}


def fresh(folder: Path, toml: str) -> dict[str, Any]:
    shop = shop_of(folder / "fresh", toml)
    shop.validate()
    return lake(shop)


def test_a_source_that_left_takes_its_rows_along(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, PURCHASES + VIEWS)
    shop.validate()
    shop.write("shop.toml", PURCHASES + LENIENT)

    report = shop.validate()

    assert [(row["item_id"], row["event_type"]) for row in shop.clean()] == [("1", "purchase"), ("2", "purchase")]
    assert lake(shop) == fresh(tmp_path, PURCHASES)
    assert report.facts.dropped_sources == {"views": 3}


def test_a_source_that_comes_back_is_what_it_was(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, PURCHASES + VIEWS)
    shop.validate()
    before = lake(shop)
    shop.write("shop.toml", PURCHASES + LENIENT)
    shop.validate()
    shop.write("shop.toml", PURCHASES + VIEWS + LENIENT)

    assert shop.validate().facts.dropped_sources == {}
    assert lake(shop) == before


def test_a_renamed_source_counts_once(tmp_path: Path) -> None:
    renamed = PURCHASES.replace('name = "purchases"', 'name = "orders"')
    shop = shop_of(tmp_path, PURCHASES)
    shop.validate()
    shop.write("shop.toml", renamed + LENIENT)

    report = shop.validate()

    assert {row["source"] for row in shop.clean()} == {"orders"}
    assert lake(shop) == fresh(tmp_path, renamed)
    assert report.facts.dropped_sources == {"purchases": 2}


def test_impressions_leave_with_their_section_and_come_back_with_it(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, PURCHASES + IMPRESSIONS)
    shop.validate()
    before = lake(shop)
    shop.write("shop.toml", PURCHASES + LENIENT)

    assert shop.validate().facts.dropped_sources == {"impressions": 2}
    assert lake(shop) == fresh(tmp_path, PURCHASES)

    shop.write("shop.toml", PURCHASES + IMPRESSIONS + LENIENT)
    shop.validate()
    assert lake(shop) == before


def test_another_mapping_of_impressions_replaces_what_the_old_one_brought(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, PURCHASES + IMPRESSIONS)
    shop.validate()
    another = PURCHASES + IMPRESSIONS.replace('item = "article"', 'item = "customer"')
    shop.write("shop.toml", another + LENIENT)
    shop.validate()

    assert lake(shop) == fresh(tmp_path, another)
