"""A source's files as a shop has them: each is read as it is written, and no row or cell is lost in silence."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from components.contracts.errors import ContractBreach, SourceError
from components.contracts.steps.facts import SourceFacts
from tests.shop_files import PURCHASES, ShopFolder, shop_folder, table_rows

pytestmark = pytest.mark.slow(seconds=20)

HEADER = "customer,article,bought_at\n"
FIRST = "a,1,2024-03-01 10:00:00\nb,2,2024-03-01 11:00:00\n"
FOLDER = PURCHASES.replace('path = "purchases.csv"', 'path = "days"')
PRICED = PURCHASES.replace('time = "bought_at"', 'time = "bought_at", price = "price"')
PARQUET = FOLDER.replace('"csv"', '"parquet"')
DELTA = FOLDER.replace('"csv"', '"delta"')


def facts(shop: ShopFolder) -> SourceFacts:
    return shop.ingest().facts.sources["purchases"]


def pairs(shop: ShopFolder) -> list[tuple[str, str]]:
    return sorted((row["user_id"], row["item_id"]) for row in shop.raw())


def with_source(toml: str, **keys: str) -> str:
    written = "".join(f", {key} = {json.dumps(value)}" for key, value in keys.items())
    return toml.replace('.csv" }', f'.csv"{written} }}')


def test_a_quote_after_many_rows_without_one_is_a_quote(tmp_path: Path) -> None:
    plain = "".join(f"a,{row},2024-03-01 10:00:00,pen\n" for row in range(21_000))
    quoted = '"b","1","2024-03-01 11:00:00","pen, red"\nc,2,2024-03-01 12:00:00,"a\nbreak"\n'
    shop = shop_folder(tmp_path, purchases="customer,article,bought_at,name\n" + plain + quoted)

    assert facts(shop).rows_new == 21_002
    assert pairs(shop)[-2:] == [("b", "1"), ("c", "2")]


def test_line_ends_of_several_systems_are_read_in_one_file(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path)
    (tmp_path / "purchases.csv").write_bytes((HEADER + FIRST + "c,3,2024-03-02\r\nd,4,2024-03-03\re,5,2024").encode())

    shop.ingest()

    assert [user for user, _ in pairs(shop)] == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("late", ["", '"f","6","2024-03-01",5" nail\n'])
def test_a_row_with_more_cells_than_names_is_set_aside_whole(tmp_path: Path, late: str) -> None:
    rows = "a,1,2024-03-01,pen,,\nb,2,2024-03-01,pen, red\nc,3\n"
    shop = shop_folder(tmp_path, purchases="customer,article,bought_at,name\n" + rows + FIRST + late)

    shop.ingest()

    problems = {row["problem"]: json.loads(row["found"]) for row in shop.raw() if row["problem"]}
    assert set(problems) == {"more cells than columns", "no time"}
    assert problems["more cells than columns"] == {
        "customer": "b",
        "article": "2",
        "bought_at": "2024-03-01",
        "the whole row": "b,2,2024-03-01,pen, red",
    }
    assert len(shop.raw()) == 5 + bool(late)


def test_a_quote_that_does_not_close_costs_its_own_line(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + 'a,"1,2024-03-01\n' + FIRST + '"c","3",2024-03-02\nd,"4,2024-03-03')

    shop.ingest()

    assert [row["found"] for row in shop.raw() if row["problem"] == "a quote that does not close"] == [
        '{"bought_at":"2024-03-01","customer":"a","article":"\\"1","the whole row":"a,\\"1,2024-03-01"}',
        '{"bought_at":"2024-03-03","customer":"d","article":"\\"4","the whole row":"d,\\"4,2024-03-03"}',
    ]
    assert sum(row["problem"] is None for row in shop.raw()) == 3


def test_a_comment_sign_is_a_letter_like_any(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + "#a,1,2024-03-01\n" + FIRST)

    shop.ingest()

    assert pairs(shop)[0] == ("#a", "1")


def test_a_regular_and_an_irregular_file_give_the_same_rows(tmp_path: Path) -> None:
    regular = HEADER + 'a,"1, or 2",2024-03-01\n" b",2,\n,"",2024-03-03\n'
    shop = shop_folder(tmp_path, purchases=regular)
    shop.ingest()
    shop.write("purchases.csv", regular + 'c,3" nail,2024-03-04\n')

    found = facts(shop)

    assert (found.rows_repeated, found.rows_new) == (3, 1)


def test_files_of_any_dialect_are_united_by_names(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, FOLDER)
    shop.write("days/1.csv", HEADER + "a,1,2024-03-01\n")
    shop.write("days/2.csv", "bought_at;article;customer\n2024-03-01;2;b\n")
    (tmp_path / "days/3.CSV.gz").write_bytes(gzip.compress("article\tcustomer\tbought_at\n3\tc\t2024".encode("utf-16")))

    shop.ingest()

    assert pairs(shop) == [("a", "1"), ("b", "2"), ("c", "3")]


def test_windows_1252_is_read_when_said_and_named_when_not(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path)
    (tmp_path / "purchases.csv").write_bytes((HEADER + "Café,€5,2024-03-01\n").encode("windows-1252"))
    with pytest.raises(SourceError, match=r"purchases\.csv: line 2 .* `source\.encoding`.*windows-1252.*'Café,€5"):
        shop.ingest()
    shop.write("shop.toml", with_source(PURCHASES, encoding="windows-1252"))

    shop.ingest()

    assert pairs(shop) == [("Café", "€5")]


@pytest.mark.parametrize(
    ("keys", "cells", "prices"),
    [
        ({"decimal": ","}, ["2,55", "1250", ",5", "-3"], [2.55, 1250.0, 0.5, -3.0]),
        ({"decimal": ",", "thousands": "."}, ["1.250,00", "12.345.678", "2,5"], [1250.0, 12345678.0, 2.5]),
        ({"thousands": ","}, ["1,250.00", "12,34,567", "999"], [1250.0, 1234567.0, 999.0]),
        ({"decimal": ",", "thousands": " "}, ["1 250,5", "1\u00a0250", "1\u202f250"], [1250.5, 1250.0, 1250.0]),
        ({"thousands": "'"}, ["1'250.5", "1\u2019250"], [1250.5, 1250.0]),
    ],
)
def test_numbers_are_read_with_the_signs_that_are_said(
    tmp_path: Path, keys: dict[str, str], cells: list[str], prices: list[float]
) -> None:
    rows = "".join(f"a;{row};2024-03-01;{cell}\n" for row, cell in enumerate(cells))
    shop = shop_folder(tmp_path, with_source(PRICED, **keys), purchases="customer;article;bought_at;price\n" + rows)

    shop.ingest()

    assert [row["price"] for row in shop.raw()] == prices


@pytest.mark.parametrize(
    ("keys", "cell", "problem"),
    [
        ({}, "2,55", "unreadable price (a decimal comma: set `source.decimal`)"),
        ({}, "1.250,00", "unreadable price (a decimal comma and points: set `source.decimal` and `source.thousands`)"),
        ({}, "1,250", "unreadable price (a comma: set `source.decimal` or `source.thousands`)"),
        ({}, "1,250.00", "unreadable price (thousands separators: set `source.thousands`)"),
        ({}, "1'250", "unreadable price (thousands separators: set `source.thousands`)"),
        ({}, "gratis", "unreadable price"),
        ({"thousands": ","}, "1,25", "unreadable price (a decimal comma: set `source.decimal`)"),
        ({"decimal": ","}, "2.55", "unreadable price (a decimal point: set `source.decimal`)"),
    ],
)
def test_a_number_with_other_signs_is_unreadable_and_names_the_key(
    tmp_path: Path, keys: dict[str, str], cell: str, problem: str
) -> None:
    rows = f"customer;article;bought_at;price\na;1;2024-03-01;{cell}\n"
    shop = shop_folder(tmp_path, with_source(PRICED, **keys), purchases=rows)

    shop.ingest()

    assert [(row["price"], row["problem"]) for row in shop.raw()] == [(None, problem)]


def test_a_mapped_column_that_one_file_lacks_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, FOLDER)
    shop.write("days/1.csv", HEADER + FIRST)
    shop.write("days/2.csv", HEADER.replace("customer", "client") + FIRST)

    with pytest.raises(SourceError, match=r"no column 'customer', which `user` names; 2\.csv has client, article"):
        shop.ingest()


def test_an_empty_file_in_a_known_source_is_nothing_new(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, FOLDER)
    shop.write("days/1.csv", HEADER + FIRST)
    shop.ingest()
    shop.write("days/2.csv", "")
    (tmp_path / "days/3.csv.gz").write_bytes(gzip.compress(b""))

    found = facts(shop)

    assert (found.rows_read, found.left_out) == (0, {"2.csv": "empty", "3.csv.gz": "empty"})


def test_a_source_of_empty_files_only_is_an_error(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases="")

    with pytest.raises(SourceError, match=r"found nothing to read \(purchases\.csv is empty\), expected rows"):
        shop.ingest()


def test_a_catalogue_that_became_empty_is_an_error(tmp_path: Path) -> None:
    catalogue = '\n[items]\nitem = "article"\nsource = { kind = "csv", path = "items.csv" }\n'
    shop = shop_folder(tmp_path, PURCHASES + catalogue, purchases=HEADER + FIRST, items="article\n1\n")
    shop.ingest()
    shop.write("items.csv", "")

    with pytest.raises(SourceError, match=r"items: found nothing to read \(items\.csv is empty\)"):
        shop.ingest()


def write_parquet(shop: ShopFolder, name: str, **columns: Any) -> None:
    path = shop.folder / "days" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def test_parquet_files_of_several_types_give_what_they_give_one_by_one(tmp_path: Path) -> None:
    naive, aware = pa.array([0], pa.timestamp("us")), pa.array([0], pa.timestamp("us", "UTC"))
    shop = shop_folder(tmp_path, PARQUET)
    write_parquet(shop, "1.parquet", customer=[1], article=["0017"], bought_at=naive)
    write_parquet(shop, "2.parquet", bought_at=aware, article=[17], customer=[1.0], till=[1])
    write_parquet(shop, "3.parquet", customer=["1"], article=["17"], bought_at=["1970-01-01T00:00:00"], till=[{"x": 1}])

    found = facts(shop)

    assert sorted((row["user_id"], row["item_id"], row["event_time"].hour) for row in shop.raw()) == [
        ("1", "0017", 23),
        ("1", "17", 0),
        ("1", "17", 23),
    ]
    assert (found.rows_new, found.unmapped) == (3, ("till",))


@pytest.mark.parametrize("cells", [[{"id": "a"}], [["a"]]])
def test_a_struct_or_list_is_no_id(tmp_path: Path, cells: list[Any]) -> None:
    shop = shop_folder(tmp_path, PARQUET)
    write_parquet(shop, "1.parquet", customer=cells, article=["1"], bought_at=["2024-03-01"])

    with pytest.raises(SourceError, match=r"'customer', which `user` names, holds .* in 1\.parquet, expected text"):
        shop.ingest()


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_folders_that_name_a_column_fill_it(tmp_path: Path, kind: str) -> None:
    shop = shop_folder(tmp_path, FOLDER.replace('"csv"', f'"{kind}"'))
    if kind == "csv":
        shop.write("days/bought_at=2024-03-01/1.csv", "customer,article\na,1\n")
    else:
        write_parquet(shop, "bought_at=2024-03-01/1.parquet", customer=["a"], article=["1"])

    shop.ingest()

    assert [row["event_time"].isoformat() for row in shop.raw()] == ["2024-02-29T23:00:00+00:00"]


def test_promotions_of_files_with_several_types_are_counted_together(tmp_path: Path) -> None:
    promoted = """
[promotions]
item = "article"
place = "store"
period = "week"
first_period = "2024-03-25"
source = { kind = "parquet", path = "days" }
"""
    shop = shop_folder(tmp_path, PURCHASES + promoted, purchases=HEADER + FIRST)
    write_parquet(shop, "1.parquet", article=[1, 2], store=["A", "B"], week=[1, 1])
    write_parquet(shop, "2.parquet", article=["1"], store=["B"], week=["1"])

    shop.ingest()

    assert [(row["item_id"], row["reach"]) for row in shop.raw("promotions")] == [("1", 1.0), ("2", 0.5)]


def purchases(*users: str) -> pa.Table:
    return pa.table({"customer": users, "article": ["1"] * len(users), "bought_at": ["2024-03-01"] * len(users)})


def test_a_delta_table_is_read_by_its_log(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, DELTA)
    write_deltalake(tmp_path / "days", purchases("a", "b"), partition_by=["customer"])
    DeltaTable(tmp_path / "days").delete("customer = 'b'")

    shop.ingest()

    assert pairs(shop) == [("a", "1")]


def test_a_rewritten_delta_table_doubles_no_row(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, DELTA)
    write_deltalake(tmp_path / "days", purchases("a", "b", "b"))
    write_deltalake(tmp_path / "days", purchases("a", "c"), mode="append")
    assert facts(shop).rows_new == 5
    assert facts(shop).rows_read == 0
    DeltaTable(tmp_path / "days").optimize.compact()
    assert facts(shop).rows_new == 0
    DeltaTable(tmp_path / "days").delete("customer = 'c'")
    write_deltalake(tmp_path / "days", purchases("d"), mode="append")

    found = facts(shop)

    assert (found.rows_repeated, found.rows_new) == (4, 1)
    assert [user for user, _ in pairs(shop)] == ["a", "a", "b", "b", "c", "d"]


def test_a_catalogue_in_a_delta_table_is_as_the_table_is_now(tmp_path: Path) -> None:
    catalogue = '\n[items]\nitem = "article"\nsource = { kind = "delta", path = "items" }\n'
    shop = shop_folder(tmp_path, PURCHASES + catalogue, purchases=HEADER + FIRST)
    write_deltalake(tmp_path / "items", pa.table({"article": ["1", "2"]}))
    shop.ingest()
    DeltaTable(tmp_path / "items").delete("article = '1'")

    shop.ingest()

    assert [row["item_id"] for row in table_rows(shop.home.raw / "items")] == ["2"]


def test_a_column_of_prices_that_fails_names_its_first_cells_and_the_key(tmp_path: Path) -> None:
    rows = "".join(f"a;{row};2024-03-01 10:00:00;{row},{25 + row % 2}\n" for row in range(12, 36))
    shop = shop_folder(tmp_path, PRICED, purchases="customer;article;bought_at;price\n" + rows)

    with pytest.raises(
        ContractBreach, match=r"24 unreadable price \(a decimal comma: set `source\.decimal`\), such as"
    ):
        shop.validate()


def test_catalogue_prices_that_cannot_be_read_name_the_key(tmp_path: Path) -> None:
    catalogue = '\n[items]\nitem = "article"\nprice = "price"\nsource = { kind = "csv", path = "items.csv" }\n'
    shop = shop_folder(
        tmp_path, PURCHASES + catalogue, purchases=HEADER + FIRST, items="article;price\n1;3,50\n2;4,50\n"
    )

    report = shop.validate()

    assert [row["price"] for row in shop.clean("items")] == [None, None]
    assert "such as '3,50', '4,50'" in report.warnings[0]
    assert "they have a decimal comma: set `source.decimal`" in report.warnings[0]


def test_a_mapped_name_that_the_header_has_twice_is_refused(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases="customer,article,bought_at,article\na,1,2024-01-02,2\n")

    with pytest.raises(SourceError, match="several columns called 'article' in the header"):
        shop.ingest()
    shop.write("purchases.csv", "customer,note,article,bought_at,note\na,1,2,2024-01-02,3\n")
    assert shop.ingest().facts.sources["purchases"].rows_new == 1
