"""Live sources: their history is known at its event times, what comes later when it is ingested."""

from datetime import timedelta
from pathlib import Path

from components.build_features.snapshots import build_features
from components.contracts.handles import Handle
from tests.components.validate_events.purchases import HEADER, ROWS
from tests.shop_files import NOW, PURCHASES, ShopFolder, shop_folder

LIVE = PURCHASES.replace("[[events]]", "[[events]]\nlive = true\nlag_minutes = 90")
LATER = "c,3,2024-03-02 12:00:00\n"
A_DAY = timedelta(days=1)
LAG = timedelta(minutes=90)


def known(shop: ShopFolder) -> dict[str, timedelta]:
    """How long after its event each item's row was known."""
    return {row["item_id"]: row["available_at"] - row["event_time"] for row in shop.clean()}


def arrive_later(shop: ShopFolder) -> None:
    shop.write("purchases.csv", HEADER + ROWS + LATER)
    shop.validate(now=NOW + A_DAY)


def test_history_is_known_at_its_event_times_and_the_rest_when_it_came(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, LIVE, purchases=HEADER + ROWS)
    shop.validate()
    arrive_later(shop)

    assert (known(shop)["1"], known(shop)["2"]) == (LAG, LAG)
    assert [row["available_at"] for row in shop.clean() if row["item_id"] == "3"] == [NOW + A_DAY]


def test_turning_live_on_leaves_history_where_it_was(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, LIVE.replace("live = true\n", ""), purchases=HEADER + ROWS)
    shop.validate()
    before = known(shop)
    shop.write("shop.toml", LIVE)
    arrive_later(shop)

    assert {item: known(shop)[item] for item in before} == before
    assert known(shop)["3"] > LAG


def test_another_mapping_reads_all_of_a_live_source_as_history(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, LIVE, purchases=HEADER + ROWS)
    shop.validate()
    arrive_later(shop)
    shop.write("shop.toml", LIVE.replace('item = "article"', 'item = "article", session = "customer"'))
    shop.validate(now=NOW + 2 * A_DAY)

    assert set(known(shop).values()) == {LAG}


def test_features_are_built_of_a_live_shop(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, LIVE, purchases=HEADER + ROWS)

    first = build(shop, shop.validate().handle)
    arrive_later(shop)
    again = build(shop, shop.validate(now=NOW + A_DAY).handle)

    assert (first, again) == (1, 1)


def build(shop: ShopFolder, clean: Handle) -> int:
    """Build features; return the events that were known."""
    return build_features(shop.shop(), shop.home, clean, shop.said.append).rows_in
