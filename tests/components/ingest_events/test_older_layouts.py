"""A home of an earlier version goes on."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

from components.contracts.tables import RAW
from components.lake.tables import read_notes, rewrite_table
from tests.components.feedback.rows import LOGGED, a_list, log_all
from tests.shop_files import PURCHASES, shop_folder

LATER = LOGGED + timedelta(hours=1)
SHOWN = (
    PURCHASES
    + """
[impressions]
request = "request"
user = "customer"
item = "article"
time = "at"
position = "place"
source = { kind = "csv", path = "shown.csv" }
"""
)


def test_impressions_without_a_source_are_the_shops_own_and_are_not_read_again(tmp_path: Path) -> None:
    row = "q1,u1,a,2017-03-01 10:00:00,1\n"
    shop = shop_folder(
        tmp_path, SHOWN, purchases="customer,article,bought_at\n", shown="request,customer,article,at,place\n" + row
    )
    shop.ingest()
    uri = shop.home.raw / "impressions"
    older = pa.table(DeltaTable(uri).to_pyarrow_table()).drop_columns(["source"])
    rewrite_table(uri, older, read_notes(uri))
    shop.write("shown.csv", (tmp_path / "shown.csv").read_text() + row.replace("q1", "q2"))
    log_all(shop.home.feedback, a_list("r1"))

    shop.ingest(LATER)

    assert [(found["request_id"], found["source"]) for found in shop.raw("impressions")] == [
        ("q1", "impressions"), ("q2", "impressions"), ("r1", "served"), ("r1", "served"),
    ]  # fmt: skip
    assert DeltaTable(uri).schema().to_arrow().names == RAW["impressions"].names


def test_a_shops_own_impressions_read_anew_leave_the_served_ones(tmp_path: Path) -> None:
    shop = shop_folder(
        tmp_path,
        SHOWN,
        purchases="customer,article,bought_at\nu1,a,2017-03-01 10:00:00\n",
        shown="request,customer,article,at,place,sku\nq1,u1,a,2017-03-01 10:00:00,1,x\n",
    )
    log_all(shop.home.feedback, a_list("r1", user_id="u1"))
    shop.validate(now=LATER)
    shop.write("shop.toml", SHOWN.replace('item = "article"\ntime = "at"', 'item = "sku"\ntime = "at"'))
    shop.validate(now=LATER)

    shown = sorted((row["request_id"], row["item_id"]) for row in shop.clean("impressions"))
    assert shown == [("q1", "x"), ("r1", "a"), ("r1", "b")]


def test_a_catalogue_without_bad_cells_is_read_again(tmp_path: Path) -> None:
    """As raw tables were before unreadable cells were kept apart."""
    catalogue = '[items]\nitem = "article"\nprice = "price"\nsource = { kind = "csv", path = "items.csv" }\n'
    purchases = "customer,article,bought_at\na,1,2024-03-01 10:00:00\n"
    shop = shop_folder(tmp_path, PURCHASES + catalogue, purchases=purchases, items="article,price\n1,free\n")
    shop.ingest()
    uri = shop.home.raw / "items"
    older = DeltaTable(uri).to_pyarrow_table().drop_columns(["bad_cells"])
    rewrite_table(uri, older, read_notes(uri) | {"settings": "of an older version"})

    shop.ingest()
    assert [dict(row["bad_cells"]) for row in shop.raw("items")] == [{"price": "free"}]
