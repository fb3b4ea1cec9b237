"""Times of Parquet files: instants stay instants, local times take a zone."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.contracts.errors import ConfigurationError
from tests.shop_files import PURCHASES, ShopFolder, shop_folder

IN_PARQUET = PURCHASES.replace("csv", "parquet")
TEN = datetime(2024, 1, 2, 10)
IN_UTC, IN_BERLIN = datetime(2024, 1, 2, 10, tzinfo=UTC), datetime(2024, 1, 2, 9, tzinfo=UTC)


def bought(folder: Path, shop_file: str = IN_PARQUET, **writing: Any) -> ShopFolder:
    shop = shop_folder(folder, shop_file)
    pq.write_table(
        pa.table({"customer": ["a"], "article": ["1"], "bought_at": [TEN]}), folder / "purchases.parquet", **writing
    )
    return shop


@pytest.mark.parametrize(
    ("writing", "source", "expected", "words"),
    [
        ({"use_deprecated_int96_timestamps": True}, "", IN_UTC, "instants in UTC (Parquet INT96)"),
        (
            {"use_deprecated_int96_timestamps": True},
            ', time_zone = "Europe/Berlin"',
            IN_BERLIN,
            "local times of Europe/Berlin",
        ),
        ({}, "", IN_BERLIN, "local times of Europe/Berlin"),
        ({}, ', time_zone = "UTC"', IN_UTC, "local times of UTC"),
    ],
)
def test_times_are_read_as_what_they_are(
    tmp_path: Path, writing: dict[str, Any], source: str, expected: datetime, words: str
) -> None:
    shop = bought(tmp_path, IN_PARQUET.replace(".parquet" + '"', ".parquet" + '"' + source), **writing)

    report = shop.ingest()

    assert [row["event_time"] for row in shop.raw()] == [expected]
    assert report.facts.sources["purchases"].times == (f"bought_at as {words}",)


def test_a_zone_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    shop = bought(tmp_path, IN_PARQUET.replace('parquet" }', 'parquet", time_zone = "Berlin" }'))

    with pytest.raises(ConfigurationError, match="no time zone is called 'Berlin'"):
        shop.shop()


def test_text_without_its_mark_is_text_in_every_column(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, IN_PARQUET.replace("item =", 'quantity = "units", item ='))
    cells = {"customer": "é2", "article": " 7", "bought_at": "2024-01-02 10:00:00", "units": "2.0"}
    columns = {name: pa.array([text.encode()], pa.binary()) for name, text in cells.items()}
    pq.write_table(pa.table(columns), tmp_path / "purchases.parquet")

    shop.ingest()

    [row] = shop.raw()
    assert (row["user_id"], row["item_id"], row["event_time"], row["quantity"]) == ("é2", "7", IN_BERLIN, 2.0)


def test_instants_in_nanoseconds_as_pandas_writes_them_stay_instants(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, IN_PARQUET)
    times = pa.array([1_704_189_600_123_456_789, None], pa.timestamp("ns", "Asia/Kolkata"))
    rows = pa.table({"customer": ["a", "b"], "article": ["1", "2"], "bought_at": times})
    pq.write_table(rows, tmp_path / "purchases.parquet")

    report = shop.ingest()

    assert {row["event_time"] for row in shop.raw()} == {IN_UTC.replace(microsecond=123_456), None}
    assert report.facts.sources["purchases"].times == ("bought_at as instants",)


@pytest.mark.parametrize("cell", [(321).to_bytes(4, "big"), (321).to_bytes(4, "little"), (5).to_bytes(8, "big")])
def test_bytes_of_numbers_are_no_ids(tmp_path: Path, cell: bytes) -> None:
    shop = shop_folder(tmp_path, IN_PARQUET)
    customers = pa.array([cell, b"b\0\0\0"], pa.binary())
    rows = pa.table({"customer": customers, "article": ["1", "2"], "bought_at": [TEN, TEN]})
    pq.write_table(rows, tmp_path / "purchases.parquet")

    shop.ingest()

    found = [(row["user_id"], row["problem"]) for row in shop.raw() if row["item_id"] == "2" or row["problem"]]
    assert ("b", None) in found
    assert any(problem and "bytes that are no text" in problem for _, problem in found)
