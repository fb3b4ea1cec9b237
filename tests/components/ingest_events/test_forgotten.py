"""Forgotten users do not come back when rows are read again; known rows are not read again for it."""

import asyncio
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from components.feedback.segment_sink import journal_sink
from components.home.data_subject import person_of
from components.home.tombstones import add_tombstone
from components.lake.erasure import erase_rows
from tests.components.feedback.rows import LOGGED, a_list, an_event
from tests.shop_files import PURCHASES, ShopFolder, shop_folder

HEADER = "customer,article,bought_at\n"
FIRST = "17,1,2024-03-01 10:00:00\n17.0,1,2024-03-01 10:00:00\n171,2,2024-03-01 11:00:00\n 17 ,3,no time\n"
PEOPLE = """
[contract]
max_quarantined = 1.0

[users]
user = "id"
attributes = ["city"]
"""
FILE = 'source = { kind = "csv", path = "people.csv" }\n'


def forget(shop: ShopFolder, user_id: str) -> None:
    add_tombstone(shop.home.tombstones, user_id)
    for log in sorted((shop.home.root / "lake").rglob("_delta_log")):
        erase_rows(log.parent, person_of(shop.shop(), user_id, "tombstone"))


def users(rows: list[dict[str, Any]]) -> set[str]:
    return {row["user_id"] for row in rows}


def test_they_are_left_out_of_sources_that_are_read_again_or_have_grown(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, PURCHASES + PEOPLE + FILE, purchases=HEADER + FIRST, people="id,city\n17,X\n171,Y\n")
    shop.validate()
    assert '" 17 "' in shop.quarantine()[0][1]
    forget(shop, "17")
    assert (users(shop.raw()), users(shop.raw("users")), shop.quarantine()) == ({"171"}, {"171"}, [])
    versions = shop.validate().handle.versions
    assert shop.ingest().rows_in == 0

    shop.write("purchases.csv", HEADER + FIRST + "17,4,2024-03-02 10:00:00\n171,5,2024-03-02 10:00:00\n17,6,never\n")
    shop.write("people.csv", "id,city\n17,X\n171,Y\n172,Z\n")
    report = shop.validate()

    assert users(shop.raw()) == users(shop.clean()) == {"171"}
    assert users(shop.clean("users")) == {"171", "172"}
    assert shop.quarantine() == []
    assert report.handle.versions["events"] == versions["events"] + 1
    again = shop.ingest()
    assert (again.rows_in, again.rows_out) == (0, 0)


def test_a_table_that_is_read_whole_each_time_settles(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/people.db"
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE people (id TEXT, city TEXT)"))
        connection.execute(sa.text("INSERT INTO people VALUES ('17', 'X'), ('171', 'Y')"))
    engine.dispose()
    source = f'source = {{ kind = "sql", url = "{address}", table = "people" }}\n'
    shop = shop_folder(tmp_path, PURCHASES + PEOPLE + source, purchases=HEADER + FIRST)
    shop.validate()
    forget(shop, "17")
    after = shop.validate().handle.versions["users"]
    assert users(shop.clean("users")) == {"171"}
    assert shop.validate().handle.versions["users"] == after


def test_what_the_service_logged_of_them_is_left_out(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + FIRST.replace("no time", "2024-03-01"))
    add_tombstone(shop.home.tombstones, "17")
    with journal_sink(shop.home.feedback) as log:
        asyncio.run(log.take([an_event("e1", user_id="17"), an_event("e2", user_id="171")]))
        assert log.show(a_list("r1", user_id="17"))
        assert log.show(a_list("r2", user_id="171"))
    shop.ingest(LOGGED.replace(year=2027))
    assert users(shop.raw()) == users(shop.raw("impressions")) == {"171"}
