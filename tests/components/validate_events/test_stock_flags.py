"""The stock flag: which cells mean yes, which no, and what becomes of others."""

from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError, ContractBreach
from tests.components.validate_events.purchases import HEADER, ROWS
from tests.shop_files import PURCHASES, ShopFolder, shop_folder

ITEMS = """
[items]
item = "article"
attributes = ["stock", "size"]
source = { kind = "csv", path = "items.csv" }
[rules]
in_stock_only = "stock"
"""


def shop_with(folder: Path, *cells: str, rules: str = "") -> ShopFolder:
    items = "article,stock,size\n" + "".join(f"{number},{cell},L\n" for number, cell in enumerate(cells))
    return shop_folder(folder, PURCHASES + ITEMS + rules, purchases=HEADER + ROWS, items=items)


def stock(shop: ShopFolder) -> list[str | None]:
    """The flags of the clean catalogue, in the order of the cells."""
    rows = sorted(shop.clean("items"), key=lambda row: int(row["item_id"]))
    assert all(dict(row["attributes"])["size"] == "L" for row in rows)
    return [dict(row["attributes"]).get("stock") for row in rows]


def test_flags_are_read_as_ids_are_with_the_usual_words_for_yes_and_no(tmp_path: Path) -> None:
    yes = ("1", "1.0", "TRUE", "True", " yes ", "Y", "ja", "oui", "Sí", "in stock", "IN_STOCK", "InStock", "12", "0.5")
    yes = (*yes, "https://schema.org/InStock", "verfügbar", "t", "on")
    no = ("0", "0.0", "-1", "FALSE", "no", "N", "nein", "non", "não", "out of stock", "OutOfStock", "sold-out", "f")
    shop = shop_with(tmp_path, *yes, *no)
    assert not [warning for warning in shop.validate().warnings if "stock" in warning]
    assert stock(shop) == ["true"] * len(yes) + ["false"] * len(no)


def test_values_that_are_not_understood_are_counted_and_named(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "yes", "no", "maybe", "maybe", "preorder", "", "nan")
    warnings = shop.validate().warnings
    assert stock(shop) == ["true", "false", None, None, None, None, None]
    assert warnings[0].startswith(
        "items: 3 of 7 values of 'stock' (rules.in_stock_only) are not understood: 'maybe' (2), 'preorder' (1); these "
        "items count as out of stock"
    )
    assert warnings[1] == "items: 2 of 7 rows have no 'stock' (rules.in_stock_only) and count as out of stock"


def test_the_shop_file_adds_words_and_has_the_last_say(tmp_path: Path) -> None:
    rules = 'in_stock_words = ["Pre-Order", "3.0"]\nout_of_stock_words = ["2"]\n'
    shop = shop_with(tmp_path, "preorder", "3", "2.0", "1", rules=rules)
    shop.validate()
    assert stock(shop) == ["true", "true", "false", "true"]


@pytest.mark.parametrize(("cell", "known"), [("vielleicht", "not understood: 'vielleicht' (5)"), ("0", "5 say no")])
def test_a_column_in_which_nothing_is_in_stock_stops_the_run(tmp_path: Path, cell: str, known: str) -> None:
    shop = shop_with(tmp_path, *[cell] * 5)
    with pytest.raises(ContractBreach, match=r"none of 5 items is in stock by rules.in_stock_only = 'stock'") as caught:
        shop.validate()
    assert known in str(caught.value)
    assert "rules.in_stock_words" in str(caught.value)


def test_words_need_the_attribute_that_they_are_looked_for_in(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"rules.in_stock_only names no attribute"):
        shop_folder(tmp_path, PURCHASES + '[rules]\nin_stock_words = ["da"]\n').shop()
