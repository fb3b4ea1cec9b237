"""Tables that do not fit one another are named: nothing that they say would have an effect."""

from pathlib import Path

from tests.components.validate_events.purchases import HEADER, ROWS
from tests.shop_files import PURCHASES, shop_folder

USERS = """
[users]
user = "customer"
source = { kind = "csv", path = "users.csv" }
"""
PROMOTIONS = """
[promotions]
item = "article"
starts = "starts"
ends = "ends"
source = { kind = "csv", path = "promotions.csv" }
"""
DATED = """
[items]
item = "article"
valid_from = "exported"
source = { kind = "csv", path = "items.csv" }
"""
AS_OF = "2024-03-03"


def test_a_customer_table_that_knows_no_customer_is_named(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, PURCHASES + USERS, purchases=HEADER + ROWS, users="customer\nA-1\nA-2\n")
    assert shop.validate(AS_OF).warnings == (
        "users: none of its 2 rows has an id that occurs in the events: it has 'A-1', 'A-2', the events 'a', 'b'; "
        "export both alike, or correct the column that `users` names",
    )
    shop.write("users.csv", "customer\nA-1\na\n")
    assert shop.validate(AS_OF).warnings == ()


def test_promotions_of_items_that_nobody_bought_are_named(tmp_path: Path) -> None:
    promotions = "article,starts,ends\n001,2024-03-01,2024-03-05\n"
    shop = shop_folder(tmp_path, PURCHASES + PROMOTIONS, purchases=HEADER + ROWS, promotions=promotions)
    assert shop.validate(AS_OF).warnings[0].startswith("promotions: none of its 1 rows has an id that occurs in the ev")


def test_an_excluded_id_that_misses_the_real_one_by_its_zeros_is_named(tmp_path: Path) -> None:
    rules = '[rules]\nnot_merchandise = { item = ["01", "2", "never-sold"] }\n'
    shop = shop_folder(tmp_path, PURCHASES + rules, purchases=HEADER + ROWS)
    assert shop.validate(AS_OF).warnings == (
        "rules.not_merchandise.item: no event has the item '01', some have '1', which is not excluded",
    )


def test_a_catalogue_that_holds_only_after_the_data_is_named(tmp_path: Path) -> None:
    items = "article,exported\n1,2025-01-02\n2,2025-01-02\n"
    shop = shop_folder(tmp_path, PURCHASES + DATED, purchases=HEADER + ROWS, items=items)
    (warning,) = shop.validate(AS_OF).warnings
    assert warning.startswith("items: 2 of 2 items hold only after the run's moment 2024-03-02 23:00 UTC, the ")
    shop.write("items.csv", items.replace("1,2025-01-02", "1,2024-01-01"))
    assert shop.validate(AS_OF).warnings == ()
