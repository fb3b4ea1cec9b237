"""The digest of a table that is read whole: arithmetic on the rows' own texts, not what an engine makes of them."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from components.contracts.tables import RAW
from components.ingest_events.content_digest import content_digest
from components.lake.tables import commit_notes, read_notes
from tests.shop_files import PURCHASES, shop_folder

MISSING, FIELD_END, ENTRY_END = "\x1e", "\x1f", "\x1d"
PLAIN: dict[str, Any] = {
    "problem": None,
    "found": None,
    "item_id": "tea",
    "category": ["drinks", "hot"],
    "brand": "",
    "price": 3.75,
    "title": "Tea, 'green'",
    "attributes": [("size", "2 kg"), ("origin", "北京")],
    "valid_from": datetime(2026, 1, 1, 12, 0, 0, 1, tzinfo=UTC),
    "bad_cells": [],
}
BARE = PLAIN | {"item_id": "milk", "category": None, "brand": None, "price": None, "valid_from": None}


def digest_of(*rows: dict[str, Any]) -> tuple[int, str]:
    with duckdb.connect() as session:
        session.register("items", pa.Table.from_pylist(list(rows), RAW["items"]))
        return content_digest(session, "items", RAW["items"])


def number_of(*cells: str | None) -> int:
    text = FIELD_END.join(MISSING if cell is None else cell for cell in cells)
    return int(hashlib.md5(text.encode()).hexdigest()[:15], 16)


def test_the_digest_is_one_that_anybody_can_compute() -> None:
    titled, more = ("Tea, 'green'", f"size{ENTRY_END}origin", f"2 kg{ENTRY_END}北京"), ("", "")
    moment = "1767268800000001"
    plain = number_of(None, None, "tea", f"drinks{ENTRY_END}hot", "", "3", str(3 * 2**51), *titled, moment, *more)
    bare = number_of(None, None, "milk", None, None, None, None, *titled, None, *more)
    assert digest_of(PLAIN, BARE, BARE) == (3, f"3:md5:{plain + 2 * bare}")
    assert digest_of(BARE, PLAIN, BARE) == digest_of(PLAIN, BARE, BARE)


@pytest.mark.parametrize(
    "changed",
    [
        {"problem": "no item"},
        {"item_id": "teas"},
        {"category": ["drinks hot"]},
        {"brand": None},
        {"price": 3.5},
        {"price": 4.75},
        {"title": None},
        {"attributes": [("size", "3 kg"), ("origin", "北京")]},
        {"valid_from": datetime(2026, 1, 1, 12, 0, 0, 2, tzinfo=UTC)},
        {"bad_cells": [("price", "x")]},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_each_cell_counts(changed: dict[str, Any]) -> None:
    assert digest_of(PLAIN | changed) != digest_of(PLAIN)


def test_a_home_with_an_engines_digest_reads_its_catalogue_once_more(tmp_path: Path) -> None:
    catalogue = '\n[items]\nitem = "article"\nsource = { kind = "csv", path = "items.csv" }\n'
    purchases = "customer,article,bought_at\n7,1,2024-03-01 10:00:00\n"
    shop = shop_folder(tmp_path, PURCHASES + catalogue, purchases=purchases, items="article,group\n1,food\n")
    shop.ingest()
    uri = shop.home.raw / "items"
    commit_notes(uri, read_notes(uri) | {"content": "1:850522739131944848"}, RAW["items"])
    refreshed = []
    for order in ("group,article\nfood,1\n", "article,group\n1,food\n"):
        shop.write("items.csv", order)
        refreshed.append(shop.ingest().facts.sources["items"].rows_new)
    assert refreshed == [1, 0]
