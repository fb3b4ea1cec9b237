"""A catalogue that lacks what is sold: its rules would hold for nothing."""

from pathlib import Path

import pytest

from components.contracts.errors import ContractBreach
from tests.components.validate_events.purchases import HEADER
from tests.shop_files import PURCHASES, ShopFolder, shop_folder

CATALOGUE = """
[items]
item = "article"
source = { kind = "csv", path = "items.csv" }
"""


def sales(*articles: str, day: str = "2024-03-03") -> str:
    return "".join(f"u{number},{article},{day}\n" for number, article in enumerate(articles))


def shop_with(folder: Path, rows: str, items: list[str], toml: str = "") -> ShopFolder:
    catalogue = "article\n" + "".join(f"{item}\n" for item in items)
    return shop_folder(folder, PURCHASES + CATALOGUE + toml, purchases=HEADER + rows, items=catalogue)


def test_a_catalogue_that_knows_less_than_half_of_what_is_sold_stops_the_run(tmp_path: Path) -> None:
    padded = [f"{number:04}" for number in range(1, 41)]
    shop = shop_with(tmp_path, sales(*padded), [str(int(item)) for item in padded])
    with pytest.raises(ContractBreach, match=r"events: 40 of 40 rows sold since .* \(40 of 40 items\)") as caught:
        shop.validate()
    message = str(caught.value)
    assert "such as '0001', '0002', '0003'; the catalogue has '1', '10', '11'" in message
    assert "they differ by zeros before the number" in message
    assert "(limit 0.5, contract.max_unknown_items)" in message
    assert shop.clean() == []


def test_rows_and_distinct_items_both_count(tmp_path: Path) -> None:
    bags, rare = ["bag"] * 60, [f"r{number}" for number in range(20)]
    with pytest.raises(ContractBreach, match=r"20 of 80 rows sold since .* \(20 of 21 items\)"):
        shop_with(tmp_path / "items", sales(*bags, *rare), ["bag"]).validate()
    with pytest.raises(ContractBreach, match=r"60 of 80 rows sold since .* \(1 of 21 items\)"):
        shop_with(tmp_path / "rows", sales(*bags, *rare), rare).validate()


def test_a_new_catalogue_is_held_against_what_was_sold_before(tmp_path: Path) -> None:
    sold = [f"a{number}" for number in range(20)]
    shop = shop_with(tmp_path, sales(*sold), sold)
    shop.validate()
    shop.write("items.csv", "article\nb1\n")
    with pytest.raises(ContractBreach, match="20 of 20 rows sold since"):
        shop.validate()
    assert len(shop.clean("items")) == 20
    shop.write("items.csv", "article\n" + "\n".join([*sold, "b1"]))
    shop.validate()
    assert len(shop.clean("items")) == 21
    assert len(shop.clean()) == 20


def test_what_left_the_range_long_ago_need_not_be_in_the_catalogue(tmp_path: Path) -> None:
    old, new = [f"old{number}" for number in range(200)], [f"new{number}" for number in range(20)]
    shop = shop_with(tmp_path, sales(*old, day="2024-02-02") + sales(*new), new)
    assert shop.validate().warnings == ()


def test_items_that_the_catalogue_lacks_are_a_warning_with_its_effect(tmp_path: Path) -> None:
    sold = [f"a{number}" for number in range(20)]
    warning = shop_with(tmp_path / "plain", sales(*sold), sold[:15]).validate().warnings[0]
    assert warning.startswith("events: 5 of 20 rows sold since 2024-02-03 (5 of 20 items) have an item that the cat")
    assert warning.endswith("rules of its columns do not exclude them")


def test_the_limit_can_be_lifted_and_items_that_only_rules_name_are_known(tmp_path: Path) -> None:
    sold = [f"a{number}" for number in range(20)]
    lenient = "[contract]\nmax_unknown_items = 1.0\n"
    assert len(shop_with(tmp_path / "lifted", sales(*sold), ["b"], lenient).validate().warnings) == 1
    named = f"[rules]\nnot_merchandise = {{ item = {sold[:15]} }}\n"
    assert shop_with(tmp_path / "named", sales(*sold), sold[15:], named).validate().warnings == ()


def test_a_shop_without_a_catalogue_knows_no_limit(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + sales(*[f"a{number}" for number in range(20)]))
    assert shop.validate().warnings == ()
