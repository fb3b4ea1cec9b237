"""The catalogue and the users: replaced as a whole, validated row by row."""

from pathlib import Path

from components.contracts.steps.facts import ReferenceFacts
from tests.components.validate_events.purchases import HEADER, ROWS
from tests.shop_files import PURCHASES, shop_folder

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

PRICED = """
[items]
item = "article"
category = ["group"]
price = "price"
source = { kind = "csv", path = "items.csv" }
[rules]
not_merchandise = { group = ["Gift cards", "7"] }
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
    assert facts.references == ReferenceFacts(unknown_items=1 / 3, unknown_users=1 / 3, not_merchandise_rows=1)


def test_of_repeated_rows_one_without_bad_cells_is_kept(tmp_path: Path) -> None:
    shop = shop_folder(
        tmp_path, PURCHASES + PRICED, purchases=HEADER + ROWS, items="article,group,price\n1,,abc\n1,,9.5\n1,,abd\n"
    )
    shop.validate()

    assert [(row["item_id"], row["price"]) for row in shop.clean("items")] == [("1", 9.5)]
    assert shop.reasons() == ["repeated item"] * 2
