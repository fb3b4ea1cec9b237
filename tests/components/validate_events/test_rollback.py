"""A delivery that breaks the contract: the home is as it was, and recovers once the source is corrected."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from components.contracts.errors import ContractBreach, SourceError
from components.contracts.tables import QUARANTINE
from components.lake.tables import commit_notes, table_version
from components.lake.upkeep import SMALL_FILES
from components.validate_events import validation
from components.validate_events.rows.pending_rows import Watermark
from tests.components.validate_events.purchases import HEADER, LENIENT, ROWS
from tests.shop_files import PURCHASES, ShopFolder, shop_folder

pytestmark = pytest.mark.slow(seconds=40)

GOOD = "".join(f"u{number},{number},2024-03-03\n" for number in range(100))
BAD = "".join(f"v{number},,2024-03-04\n" for number in range(30))
CORRECTED = BAD.replace(",,", ",7,")
REFUSED = r"events: 30 of 130 new rows have no item"
FOLDER = PURCHASES.replace('path = "purchases.csv"', 'path = "days"')
DATABASE = PURCHASES.replace(
    '{ kind = "csv", path = "purchases.csv" }',
    '{ kind = "sql", url = "sqlite:///shop.db", table = "purchases", cursor = "id" }',
)


def lake(shop: ShopFolder) -> dict[str, Any]:
    return {"events": shop.clean(), "quarantine": shop.quarantine()}


def fresh(folder: Path, *contents: str, toml: str = PURCHASES) -> dict[str, Any]:
    shop = shop_folder(folder / "fresh", toml, purchases=HEADER + "".join(contents))
    shop.validate()
    return lake(shop)


def refused(shop: ShopFolder, message: str = REFUSED) -> None:
    before = lake(shop) if (shop.home.clean / "events").exists() else None
    with pytest.raises(ContractBreach, match=message):
        shop.validate()
    assert before in (None, lake(shop))


@pytest.mark.parametrize("folder", ["home", "home#1", "home?"])
def test_a_corrected_file_is_read_as_if_it_had_never_been_wrong(tmp_path: Path, folder: str) -> None:
    shop = shop_folder(tmp_path / folder, purchases=HEADER + ROWS)
    shop.validate()
    shop.write("purchases.csv", HEADER + ROWS + GOOD + BAD)
    refused(shop)
    refused(shop)  # nothing was corrected: the same rows are refused again

    shop.write("purchases.csv", HEADER + ROWS + GOOD + CORRECTED)
    report = shop.validate()

    assert (report.rows_in, report.rows_out) == (130, 130)
    assert lake(shop) == fresh(tmp_path, ROWS, GOOD, CORRECTED)


def test_a_first_delivery_may_be_refused_too(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + GOOD + BAD)
    refused(shop)
    shop.write("purchases.csv", HEADER + GOOD + CORRECTED)
    shop.validate()

    assert lake(shop) == fresh(tmp_path, GOOD, CORRECTED)


def test_a_bad_file_may_be_taken_away(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, FOLDER)
    shop.write("days/1.csv", HEADER + ROWS)
    shop.validate()
    shop.write("days/2.csv", HEADER + GOOD + BAD)
    refused(shop)
    (tmp_path / "days" / "2.csv").unlink()
    shop.write("days/2-again.csv", HEADER + GOOD + CORRECTED)
    shop.validate()

    assert lake(shop) == fresh(tmp_path, ROWS, GOOD, CORRECTED)


def test_rows_of_a_database_are_corrected_in_place(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, DATABASE)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("CREATE TABLE purchases (id INTEGER PRIMARY KEY, customer, article, bought_at)")
    insert(tmp_path, ROWS)
    shop.validate()
    insert(tmp_path, GOOD + BAD)
    refused(shop)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("UPDATE purchases SET article = '7' WHERE article = ''")
    shop.validate()

    alone = shop_folder(tmp_path / "fresh", DATABASE.replace("sqlite:///", f"sqlite:///{tmp_path}/"))
    alone.validate()
    assert len(shop.clean()) == 132
    assert lake(shop) == lake(alone)


def insert(folder: Path, rows: str) -> None:
    with closing(sqlite3.connect(folder / "shop.db")) as database, database:
        cells = [line.split(",") for line in rows.splitlines()]
        database.executemany("INSERT INTO purchases (customer, article, bought_at) VALUES (?, ?, ?)", cells)


def test_a_raised_limit_takes_the_refused_rows_in(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + GOOD + BAD)
    refused(shop)
    shop.write("shop.toml", PURCHASES + LENIENT)
    shop.validate()

    assert len(shop.clean()) == 100
    assert shop.reasons() == ["no item"] * 30


@pytest.mark.parametrize("corrected", ["mapping", "source"])
def test_a_refused_mapping_leaves_the_rows_of_the_old_one(tmp_path: Path, corrected: str) -> None:
    header = "customer,article,sku,bought_at\n"
    blank = "".join(f"u{number},{number},,2024-03-03\n" for number in range(30))
    by_sku = PURCHASES.replace('item = "article"', 'item = "sku"')
    shop = shop_folder(tmp_path, purchases=header + blank)
    shop.validate()
    before = lake(shop)
    shop.write("shop.toml", by_sku)
    refused(shop, "30 of 30 new rows have no item")

    if corrected == "mapping":
        shop.write("shop.toml", PURCHASES)
        shop.validate()
        assert lake(shop) == before
    else:
        shop.write("purchases.csv", header + blank.replace(",,", ",s,"))
        shop.validate()
        assert {row["item_id"] for row in shop.clean()} == {"s"}
        assert len(shop.clean()) == 30


def test_a_refused_delivery_is_not_tidied(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, FOLDER)
    for day in range(SMALL_FILES - 1):
        shop.write(f"days/{day}.csv", HEADER + f"a,{day},2024-03-01\n")
        shop.validate()
    shop.write("days/bad.csv", HEADER + BAD)
    refused(shop, "keep them in the source until a run has accepted them")

    assert table_version(shop.home.raw / "events") == SMALL_FILES  # the refused rows, and their giving back


def test_what_a_killed_run_had_accepted_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + ROWS + "c,,2024-03-03\n")
    monkeypatch.setattr(validation, "write_clean_rows", interrupt)
    with pytest.raises(KeyboardInterrupt):
        shop.validate()
    monkeypatch.undo()
    shop.write("purchases.csv", HEADER + ROWS + GOOD + BAD)
    refused(shop, "31 of 133 new rows have no item")
    shop.write("purchases.csv", HEADER + ROWS + GOOD + CORRECTED)
    shop.validate()

    assert lake(shop)["events"] == fresh(tmp_path, ROWS, GOOD, CORRECTED)["events"]
    assert shop.reasons() == ["no item"]


@pytest.mark.parametrize("lost", ["quarantine", "commit"])
def test_what_was_accepted_is_never_taken_out(tmp_path: Path, lost: str) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + ROWS)
    shop.validate()
    shop.write("purchases.csv", HEADER + ROWS + GOOD + BAD)
    if lost == "quarantine":
        shutil.rmtree(shop.home.quarantine)
        with pytest.raises(ContractBreach, match=REFUSED):
            shop.validate()
        assert len(shop.raw()) == 2
    else:
        mark = vars(Watermark(batch=9, generation=9, settings="x"))
        commit_notes(shop.home.quarantine, {"events": {"mark": mark}}, QUARANTINE)
        with pytest.raises(SourceError, match="found no commit of batch 9 of generation 9"):
            shop.validate()
        assert len(shop.raw()) == 132


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt
