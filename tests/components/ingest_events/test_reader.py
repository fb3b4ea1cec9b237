"""Every kind of source has a reader: it stages what is new, and its fingerprint changes with it."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import connect
from typing import get_args
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from components.contracts.errors import SourceError
from components.ingest_events.offsets import Offsets
from components.ingest_events.reader import READERS, SourceContext, SourceReader, open_reader
from components.lake.session import duckdb_session
from components.shop.sources import DeltaSource, FileSource, Source, SqlSource

CONTEXT = SourceContext("events.orders", "events", ZoneInfo("UTC"), datetime(2026, 1, 1, tzinfo=UTC))
Write = Callable[[Path, pa.Table], None]


def write_sql(place: Path, rows: pa.Table) -> None:
    with closing(connect(place)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS orders (item TEXT)")
        database.executemany("INSERT INTO orders VALUES (:item)", rows.to_pylist())


def write_parquet(place: Path, rows: pa.Table) -> None:
    place.mkdir(exist_ok=True)
    pq.write_table(rows, place / f"{len(list(place.iterdir()))}.parquet")


def write_csv(place: Path, rows: pa.Table) -> None:
    place.mkdir(exist_ok=True)
    pcsv.write_csv(rows, place / f"{len(list(place.iterdir()))}.csv")


def write_delta(place: Path, rows: pa.Table) -> None:
    write_deltalake(place, rows, mode="append")


def reader_in(folder: Path, kind: str) -> SourceReader:
    place = str(folder / "orders")
    sources = {
        "parquet": FileSource(kind="parquet", path=place),
        "csv": FileSource(kind="csv", path=place),
        "delta": DeltaSource(kind="delta", path=place),
        "sql": SqlSource(kind="sql", url=f"sqlite:///{place}", table="orders"),
    }
    return open_reader(sources[kind], CONTEXT)


def stage(reader: SourceReader, known: Offsets, whole: bool = False) -> tuple[list[str], Offsets]:
    with duckdb_session(threads=1) as session:
        staged = reader.stage(session, known, lambda columns: columns.kind("item", "item"), whole)
        rows = [row for each in staged.layouts for row in session.sql(f"SELECT item FROM {each.relation}").fetchall()]
        return sorted(item for (item,) in rows), staged.after


def test_every_kind_has_a_reader() -> None:
    assert set(READERS) == set(get_args(get_args(Source)[0]))


@pytest.mark.parametrize(
    ("kind", "write", "new", "again"),
    [
        ("parquet", write_parquet, ["b"], []),
        ("csv", write_csv, ["b"], []),
        ("delta", write_delta, ["a", "b"], []),  # its files are rewritten: only the whole table says what a row is
        ("sql", write_sql, ["a", "b"], ["a", "b"]),  # without a cursor nothing says what is new
    ],
)
def test_a_reader_stages_what_is_new(tmp_path: Path, kind: str, write: Write, new: list[str], again: list[str]) -> None:
    reader = reader_in(tmp_path, kind)
    write(tmp_path / "orders", pa.table({"item": ["a"]}))
    first, known = stage(reader, Offsets("settings"))
    before = list(reader.fingerprint())
    write(tmp_path / "orders", pa.table({"item": ["b"]}))

    second, known = stage(reader, Offsets.from_notes(known.as_notes()))

    assert (first, second) == (["a"], new)
    assert stage(reader, known)[0] == again
    assert list(reader.fingerprint()) != before
    assert stage(reader, Offsets("settings"), whole=True)[0] == ["a", "b"]


def test_a_folder_without_a_log_is_no_delta_table(tmp_path: Path) -> None:
    write_parquet(tmp_path / "orders", pa.table({"item": ["a"]}))

    with pytest.raises(SourceError, match=r"found no Delta table at .*expected a folder with a `_delta_log`"):
        list(reader_in(tmp_path, "delta").fingerprint())
