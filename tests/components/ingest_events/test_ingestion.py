"""Files are read once, also if they change afterwards; a home of an earlier version goes on."""

import os
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from components.contracts.errors import SourceError
from components.contracts.tables import RAW
from components.ingest_events.ingestion import ingest_events
from components.lake.tables import read_notes, rewrite_table
from components.shop.settings import EventSource, FileSource
from tests.components.feedback.rows import LOGGED, a_list, log_all
from tests.shop_files import NOW, PURCHASES, ShopFolder, shop_folder, table_rows

HEADER = "customer,article,bought_at\n"
FIRST = "a,1,2024-03-01 10:00:00\nb,2,2024-03-01 11:00:00\n"
FOLDER = PURCHASES.replace('path = "purchases.csv"', 'path = "days"')
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


class LaterSource(FileSource):
    """A source as a later version of Rankloop may know it."""

    skipped_lines: int = 0


class LaterEvents(EventSource):
    """A source of events with it."""

    source: LaterSource


def items(shop: ShopFolder) -> list[str]:
    return sorted(row["item_id"] for row in shop.raw())


def test_rows_and_offsets_are_one_commit(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + FIRST)

    report = shop.ingest()

    assert (report.rows_in, report.rows_out) == (2, 2)
    assert report.handle.versions == {"events": 0}
    assert items(shop) == ["1", "2"]


def test_nothing_new_commits_nothing(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + FIRST)
    shop.ingest()

    again = shop.ingest()

    assert (again.rows_in, again.rows_out, again.handle.versions) == (0, 0, {"events": 0})


def test_a_touched_file_is_not_new(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + FIRST)
    shop.ingest()
    os.utime(tmp_path / "purchases.csv", (1, 1))

    assert shop.ingest().handle.versions == {"events": 0}


def test_a_grown_file_brings_only_its_new_rows(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + FIRST)
    shop.ingest()
    shop.write("purchases.csv", HEADER + "c,3,2024-03-02 10:00:00\n" + FIRST)

    report = shop.ingest()

    assert report.facts.sources["purchases"].rows_repeated == 2
    assert items(shop) == ["1", "2", "3"]


def test_equal_rows_of_a_file_stay_apart_and_are_known_again(tmp_path: Path) -> None:
    twice = "a,1,2024-03-01 10:00:00\n" * 2
    shop = shop_folder(tmp_path, purchases=HEADER + twice)
    shop.ingest()
    shop.write("purchases.csv", HEADER + twice + "a,1,2024-03-01 10:00:00\n" + FIRST)

    shop.ingest()

    assert items(shop) == ["1", "1", "1", "1", "2"]
    assert len({row["row_id"] for row in shop.raw()}) == 5


def test_a_folder_brings_only_new_files_and_a_redelivered_row_once(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, FOLDER)
    shop.write("days/1.csv", HEADER + FIRST)
    shop.ingest()
    shop.write("days/2.csv", HEADER + "b,2,2024-03-01 11:00:00\nc,3,2024-03-02 10:00:00\n")

    report = shop.ingest()

    facts = report.facts.sources["purchases"]
    assert (facts.files_read, facts.rows_new, facts.rows_repeated) == (1, 1, 1)
    assert items(shop) == ["1", "2", "3"]


def test_the_same_rows_in_two_files_of_one_run_come_once(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, FOLDER)
    shop.write("days/1.csv", HEADER + FIRST)
    shop.write("days/2.csv", HEADER + FIRST)

    shop.ingest()

    assert items(shop) == ["1", "2"]


def test_a_moved_source_is_the_same_source(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + FIRST)
    shop.ingest()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "purchases.csv").rename(tmp_path / "elsewhere" / "purchases.csv")
    shop.write("shop.toml", PURCHASES.replace("purchases.csv", "elsewhere/purchases.csv"))

    assert shop.ingest().handle.versions == {"events": 0}


def test_a_key_that_later_comes_to_be_reads_nothing_anew(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + FIRST)
    shop.ingest()
    known = shop.shop()
    written = known.events[0].model_dump(exclude={"source"})
    later = LaterEvents(**written, source=LaterSource(kind="csv", path=str(tmp_path / "purchases.csv")))

    again = ingest_events(known.model_copy(update={"events": (later,)}), shop.home, NOW, shop.said.append)

    assert (again.rows_in, again.handle.versions) == (0, {"events": 0})


def test_another_mapping_replaces_what_was_read_under_the_old_one(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases="customer,article,bought_at,sku\na,1,2024-03-01,x\n")
    shop.ingest()
    shop.write("shop.toml", PURCHASES.replace('item = "article"', 'item = "sku"'))

    shop.ingest()

    assert items(shop) == ["x"]


def test_another_encoding_reads_anew(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER)
    (tmp_path / "purchases.csv").write_bytes((HEADER + "a,café,2024-03-01\n").encode("utf-8"))
    shop.write("shop.toml", PURCHASES.replace('kind = "csv"', 'kind = "csv", encoding = "latin-1"'))
    shop.ingest()
    assert items(shop) == ["cafÃ©"]
    shop.write("shop.toml", PURCHASES)

    shop.ingest()

    assert items(shop) == ["café"]


def test_a_column_that_the_source_grew_is_ignored_and_reported(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + FIRST)
    shop.ingest()
    shop.write("purchases.csv", "customer,article,bought_at,colour\na,1,2024-03-01 10:00:00,red\nd,4,2024-03-03,blue\n")

    facts = shop.ingest().facts.sources["purchases"]

    assert (facts.new_columns, facts.unmapped, facts.rows_new) == (("colour",), ("colour",), 1)


def test_a_mapped_column_that_is_missing_names_the_key_and_the_columns(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases="customer,product,bought_at\na,1,2024-03-01\n")

    with pytest.raises(SourceError, match=r"events\.purchases: found no column 'article', which `item` names.*product"):
        shop.ingest()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere.csv", "found no file at .*nowhere.csv"),
        ("package:no_such_package/data.csv", "install it with `pip install no-such-package`"),
    ],
)
def test_a_missing_file_is_one_clear_error(tmp_path: Path, path: str, message: str) -> None:
    shop = shop_folder(tmp_path, PURCHASES.replace("purchases.csv", path))

    with pytest.raises(SourceError, match=message):
        shop.ingest()


def test_a_file_of_another_kind_is_one_clear_error(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, PURCHASES.replace('"csv"', '"parquet"'), purchases=HEADER + FIRST)

    with pytest.raises(SourceError, match=r"events\.purchases: found data that cannot be read"):
        shop.ingest()


def test_a_cell_may_hold_a_line_break_and_a_row_may_be_short(tmp_path: Path) -> None:
    rows = 'a,"1\n2",2024-03-01 10:00:00\nb,2,2024-03-01 11:00:00,gift\nc,3\n'
    shop = shop_folder(tmp_path, purchases="customer,article,bought_at,note\n" + rows)

    shop.ingest()

    assert sorted((row["item_id"], row["event_time"] is None) for row in shop.raw()) == [
        ("1\n2", False),
        ("2", False),
        ("3", True),
    ]


def test_a_table_is_written_in_its_declared_schema(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, PURCHASES.replace('"csv", path = "purchases.csv"', '"parquet", path = "p.parquet"'))
    rows = {
        "customer": [1.0, None],
        "article": [7, 8],
        "bought_at": pa.array([10**18, 10**18 + 1999], pa.timestamp("ns")),
    }
    pq.write_table(pa.table(rows), tmp_path / "p.parquet")

    shop.ingest()

    assert set(shop.raw()[0]) == set(RAW["events"].names)
    assert [(row["user_id"], row["event_time"].microsecond) for row in shop.raw()] == [("1", 0), (None, 1)]


def test_items_are_replaced_only_when_their_content_changed(tmp_path: Path) -> None:
    catalogue = '\n[items]\nitem = "article"\ncategory = ["group"]\nsource = { kind = "csv", path = "items.csv" }\n'
    shop = shop_folder(tmp_path, PURCHASES + catalogue, purchases=HEADER + FIRST, items="article,group\n1,food\n")
    shop.ingest()
    shop.write("items.csv", "group,article\nfood,1\n")
    assert shop.ingest().facts.sources["items"].rows_new == 0

    shop.write("items.csv", "article,group\n1,drink\n")
    assert shop.ingest().facts.sources["items"].rows_new == 1
    assert [row["category"] for row in table_rows(shop.home.raw / "items")] == [["drink"]]


def test_promotions_become_exposure_over_the_places_known_by_then(tmp_path: Path) -> None:
    promoted = """
[promotions]
item = "article"
place = "store"
period = "week"
first_period = "2024-03-25"
source = { kind = "csv", path = "promotions.csv" }
"""
    rows = "article,store,week\n1,A,1\n1,A,1\n2,A,1\n2,B,1\n1,C,2\n,C,2\n1,C,soon\n"
    shop = shop_folder(tmp_path, PURCHASES + promoted, purchases=HEADER + FIRST, promotions=rows)

    shop.ingest()

    found = shop.raw("promotions")
    valid = [(row["item_id"], row["starts_at"].isoformat(), row["reach"]) for row in found if row["problem"] is None]
    assert sorted(valid) == [
        ("1", "2024-03-24T23:00:00+00:00", 0.5),
        ("1", "2024-03-31T22:00:00+00:00", 1 / 3),
        ("2", "2024-03-24T23:00:00+00:00", 1.0),
    ]
    assert [row["problem"] for row in found if row["problem"]] == ["no item", "unreadable period"]


@pytest.mark.parametrize("path", ["days [2024]", "days [2024]/1?.csv", "days [2024]/*.csv"])
def test_a_path_that_exists_is_no_pattern(tmp_path: Path, path: str) -> None:
    shop = shop_folder(tmp_path, PURCHASES.replace("purchases.csv", path))
    shop.write("days [2024]/1?.csv", HEADER + FIRST)
    if path.endswith("1?.csv"):
        shop.write("days [2024]/12.csv", HEADER + "c,3,2024-03-02 10:00:00\n")
    shop.write("days 2/1.csv", HEADER + "d,4,2024-03-02 10:00:00\n")

    shop.ingest()

    assert items(shop) == ["1", "2"]


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
