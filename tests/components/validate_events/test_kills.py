"""A run that dies after any commit, and is run again, leaves the tables of an undisturbed run."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from components.lake import tables
from tests.shop_files import PURCHASES, ShopFolder, shop_folder

pytestmark = pytest.mark.slow(seconds=35)

SHOP = (
    PURCHASES.replace("item =", 'event_id = "id", item =')
    + """
[items]
item = "article"
source = { kind = "csv", path = "items.csv" }
[contract]
max_quarantined = 1.0
max_missing_items = 1.0
"""
)
HEADER = "id,customer,article,bought_at\n"
DAY_ONE = "1,a,m,2024-03-01\n1,b,k,2024-03-01\n2,c,x,never\n"
DAY_TWO = "1,z,k,2024-03-02\n3,a,a,2024-03-02\n4,a,,2024-03-02\n"


COMMITS = 18  # of the two days together


class Killed(BaseException):
    """The process ends here."""


def day_one(shop: ShopFolder) -> None:
    shop.write("items.csv", "article\nm\n")
    shop.write("purchases.csv", HEADER + DAY_ONE)
    shop.validate()


def day_two(shop: ShopFolder) -> None:
    shop.write("items.csv", "article\na\na\nq\n")
    shop.write("purchases.csv", HEADER + DAY_ONE + DAY_TWO)
    shop.validate()


def lake(shop: ShopFolder) -> dict[str, Any]:
    clean = {table: shop.clean(table) for table in ("events", "items", "item_codes")}
    return clean | {"raw": shop.raw(), "quarantine": shop.quarantine()}


def dying_after(commit: int, write: Callable[..., None]) -> Callable[..., None]:
    number = count(1)

    def writes(*arguments: Any, **how: Any) -> None:
        write(*arguments, **how)
        if next(number) == commit:
            raise Killed

    return writes


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    shop = shop_folder(tmp_path_factory.mktemp("undisturbed"), SHOP)
    day_one(shop)
    day_two(shop)
    return lake(shop)


@pytest.mark.parametrize("commit", range(1, COMMITS + 1))
def test_a_killed_run_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: dict[str, Any], commit: int
) -> None:
    shop = shop_folder(tmp_path, SHOP)
    kills = 0
    monkeypatch.setattr(tables, "write_deltalake", dying_after(commit, tables.write_deltalake))
    for day in (day_one, day_two):
        try:
            day(shop)
        except Killed:
            kills += 1
            day(shop)

    assert kills == 1
    assert lake(shop) == undisturbed
