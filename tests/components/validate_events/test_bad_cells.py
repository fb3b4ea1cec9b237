"""Optional cells of the catalogue and the customers: what cannot be read costs the cell, and never a rule."""

from pathlib import Path

import pytest

from components.contracts.errors import ContractBreach
from tests.components.validate_events.purchases import HEADER, ROWS
from tests.shop_files import PURCHASES, ShopFolder, shop_folder

pytestmark = pytest.mark.slow(seconds=25)

ITEMS = """
[items]
item = "article"
category = ["group"]
price = "price"
valid_from = "since"
source = { kind = "csv", path = "items.csv" }
[users]
user = "customer"
attributes = ["age"]
valid_from = "since"
source = { kind = "csv", path = "users.csv" }
[rules.not_merchandise]
group = ["Gift cards", "7"]
"""
COLUMNS = "article,group,price,since\n"
USERS = "customer,age,since\na,old,2024-01-01\n"


def shop_with(folder: Path, items: str, toml: str = ITEMS, users: str = USERS) -> ShopFolder:
    return shop_folder(folder, PURCHASES + toml, purchases=HEADER + ROWS, items=COLUMNS + items, users=users)


def merchandise(shop: ShopFolder) -> dict[str, bool]:
    """Whether an item is merchandise by the newest row of the clean catalogue."""
    rows = sorted(shop.clean("items"), key=lambda row: row["valid_from"])
    return {row["item_id"]: row["is_merchandise"] for row in rows}


def test_an_unreadable_price_or_date_costs_the_cell_and_is_named(tmp_path: Path) -> None:
    items = "1,Food,you choose,2024-02-01\n2,7,1.5,soon\n3,Gift cards,,\n4,Food,2.5,2024-02-01\n"
    shop = shop_with(tmp_path, items, users="customer,age,since\na,old,unclear\nb,,2024-01-01\n")
    report = shop.validate()

    found = {row["item_id"]: (row["price"], row["valid_from"].year) for row in shop.clean("items")}
    assert found == {"1": (None, 2024), "2": (1.5, 1970), "3": (None, 1970), "4": (2.5, 2024)}
    assert len(shop.clean("users")) == 2
    assert shop.reasons() == []
    assert [warning.partition(";")[0] for warning in report.warnings] == [
        "items: 1 of 4 cells of price cannot be read, such as 'you choose'",
        "items: 1 of 4 cells of valid_from cannot be read, such as 'soon'",
        "users: 1 of 2 cells of valid_from cannot be read, such as 'unclear'",
    ]
    assert shop.validate().warnings == report.warnings  # nothing is new, and it still holds


def test_a_price_that_cannot_be_one_is_missing_and_named(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "1,Food,-2,\n2,Food,12500000,\n3,Food,inf,\n4,Food,3,\n")
    warning = shop.validate().warnings[0]

    assert [row["price"] for row in shop.clean("items")] == [None, None, None, 3.0]
    assert "3 prices below 0 or above contract.max_price = 10,000,000, such as -2, 12,500,000" in warning


@pytest.mark.parametrize(
    ("items", "excluded"),
    [
        ("1,Gift cards,you choose,2024-01-01\n2,Food,1,\n", {"1"}),
        ("1,Food,1,2024-01-01\n1,Gift cards,1,2024-01-01\n2,Food,1,\n", {"1"}),
        ("1,Gift cards,x,2024-01-01\n1,Food,1,2024-01-01\n2,Food,1,\n", {"1"}),
        ("1,Gift cards,1,someday\n1,Food,1,2024-01-01\n2,Food,1,\n", {"1"}),
        ("1,Food,1,2024-01-01\n1,Gift cards,1,2024-02-01\n2,Food,1,\n", {"1"}),
        ("1,Gift cards,1,2024-01-01\n1,Food,1,2024-02-01\n2,Food,1,\n", set()),  # it is no gift card any more
        ("1.5E+9,Gift cards,1,\n2,Food,1,\n", {"1.5E+9"}),  # its id is set aside
        ("1,gift CARDS,1,\n2,7.0,1,\n3,Food,1,\n", {"1", "2"}),
    ],
)
def test_what_a_row_says_of_exclusion_counts_whichever_row_is_set_aside(
    tmp_path: Path, items: str, excluded: set[str]
) -> None:
    shop = shop_with(tmp_path, items)
    shop.validate()
    assert {item for item, sold in merchandise(shop).items() if not sold} == excluded


def test_an_item_is_excluded_before_its_first_dated_row_holds(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "1,Gift cards,1,2030-01-01\n2,Food,1,2030-01-01\n")
    shop.validate()
    held = [row for row in shop.clean("items") if row["valid_from"].year == 1970]
    assert [(row["item_id"], row["is_merchandise"]) for row in held] == [("1", False)]


def test_a_rule_may_name_what_a_bad_price_cell_holds(tmp_path: Path) -> None:
    toml = ITEMS.replace("[rules.not_merchandise]", '[rules.not_merchandise]\nprice = ["you choose", "0"]')
    shop = shop_with(tmp_path, "1,Food,you choose,\n2,Food,0.00,\n3,Food,1,\n", toml)
    shop.validate()
    assert merchandise(shop) == {"1": False, "2": False, "3": True}


def test_a_rule_that_excludes_nothing_is_named(tmp_path: Path) -> None:
    toml = ITEMS.replace('["Gift cards", "7"]', '["Gift cards", "Gift card sets"]')
    warnings = shop_with(tmp_path, "1,Gift cards,1,\n2,Gift card set,1,\n", toml).validate().warnings
    assert warnings == (
        "rules.not_merchandise.group: no row of the catalogue has 'Gift card sets'; some have 'Gift card set'",
    )
    absent = shop_with(tmp_path / "absent", "1,Food,1,\n2,Food,1,\n").validate().warnings
    assert [warning.partition(";")[0] for warning in absent] == [
        "rules.not_merchandise.group: no row of the catalogue has 'Gift cards'",
        "rules.not_merchandise.group: no row of the catalogue has '7'",
    ]


def test_a_share_of_bad_cells_can_be_a_limit(tmp_path: Path) -> None:
    items = "".join(f"{number},Food,free,\n" for number in range(20))
    toml = ITEMS + "[contract]\nmax_bad_cells = 0.5\n"
    with pytest.raises(ContractBreach, match=r"20 price cells of 20 rows cannot be read \(limit 0.5, contract.max_bad"):
        shop_with(tmp_path, items, toml).validate()


@pytest.mark.parametrize(
    ("users", "message"),
    [
        (
            "customer,age,since\n" + ",30,2024-01-01\n" * 20 + "a,1,\n",
            r"users: 20 of 21 rows cannot be used: 20 no user",
        ),
        ("customer,age,since\n,30,\n,31,\n", r"users: 2 of 2 rows cannot be used: 2 no user \(limit 0.05, contract"),
    ],
)
def test_a_customer_table_that_is_lost_stops_the_run(tmp_path: Path, users: str, message: str) -> None:
    shop = shop_with(tmp_path, "1,Food,1,\n", users=users)
    with pytest.raises(ContractBreach, match=message):
        shop.validate()
    assert shop.clean("users") == []


def test_lost_promotions_stop_the_run(tmp_path: Path) -> None:
    toml = """
[promotions]
item = "article"
starts = "starts"
ends = "ends"
source = { kind = "csv", path = "promotions.csv" }
"""
    promotions = "article,starts,ends\n" + "".join(f"{number},soon,later\n" for number in range(20))
    shop = shop_folder(tmp_path, PURCHASES + toml, purchases=HEADER + ROWS, promotions=promotions)
    with pytest.raises(ContractBreach, match="promotions: 20 of 20 rows cannot be used: 20 unreadable time"):
        shop.validate()


def test_a_new_catalogue_that_is_refused_leaves_the_good_one(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "1,Food,1,\n2,Food,1,\n")
    shop.validate()
    shop.write("items.csv", COLUMNS + ",Food,1,\n,Food,2,\n")
    with pytest.raises(ContractBreach, match="items: 2 of 2 rows cannot be used"):
        shop.validate()
    assert {row["item_id"] for row in shop.clean("items")} == {"1", "2"}
    shop.write("items.csv", COLUMNS + "1,Food,1,\n2,Food,1,\n9,Food,1,\n")
    shop.validate()
    assert {row["item_id"] for row in shop.clean("items")} == {"1", "2", "9"}
