"""Delta tables whose rows and notes are one commit, and that Spark could read."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from components.contracts.errors import SourceError
from components.contracts.tables import CANONICAL, ITEM_CODES, QUARANTINE, RAW
from components.home.layout import Home
from components.home.storage.documents import has_document
from components.home.storage.locations import BucketPath, Location
from components.lake.tables import (
    address,
    append_rows,
    commit_notes,
    create_table,
    file_names,
    open_table,
    options,
    read_notes,
    replace_rows,
    table_files,
    table_version,
)
from components.lake.upkeep import compact_table, vacuum_table
from tests.faulty_s3 import FaultySeries, faulty_s3, unchanged
from tests.servers import S3Server

SCHEMA = pa.schema([("name", pa.string()), ("size", pa.int64())])


def rows(*names: str) -> pa.Table:
    return pa.table({"name": list(names), "size": list(range(len(names)))}, SCHEMA)


def names(uri: Location, version: int | None = None) -> list[str]:
    return sorted(name for file in table_files(uri, version) for name in pq.read_table(file)["name"].to_pylist())


def test_a_table_that_is_not_there_has_no_version_files_or_notes(location: Location) -> None:
    uri = location / "lake" / "table"

    assert (open_table(uri), table_version(uri), table_files(uri), read_notes(uri)) == (None, None, [], {})


def test_a_table_that_cannot_be_reached_is_not_a_new_one(tmp_path: Path) -> None:
    append_rows(tmp_path / "table", rows("a"), {})
    (tmp_path / "table").rename(tmp_path / "disk")
    (tmp_path / "table").symlink_to("not mounted")
    with pytest.raises(SourceError, match="a link leads nowhere"):
        open_table(tmp_path / "table")


def test_rows_and_notes_are_read_at_their_version(location: Location) -> None:
    uri = location / "table"
    first = append_rows(uri, rows("a"), {"offset": 1})
    assert first == (0 if isinstance(uri, Path) else 1)  # in a bucket a table is created empty, to be fenced
    assert append_rows(uri, rows("b"), {"offset": 2}) == first + 1
    assert replace_rows(uri, rows("a", "a"), {"offset": 3}, where="name = 'a'") == first + 2
    assert replace_rows(uri, rows("d"), {"offset": 4}) == first + 3

    versions = range(first, first + 4)
    assert [names(uri, version) for version in versions] == [["a"], ["a", "b"], ["a", "a", "b"], ["d"]]
    assert [read_notes(uri, version)["offset"] for version in versions] == [1, 2, 3, 4]


def test_notes_outlive_commits_that_carry_none(location: Location) -> None:
    uri = location / "table"
    commit_notes(uri, {"offset": 7}, SCHEMA)
    for _ in range(6):
        table = open_table(uri)
        assert table
        table.delete("size = 99")
        append_without_notes(uri)

    assert read_notes(uri) == {"offset": 7}


def append_without_notes(uri: Location) -> None:
    write_deltalake(address(uri), rows("x"), mode="append", storage_options=options(uri))


def test_an_empty_stream_commits_its_notes(location: Location) -> None:
    version = append_rows(location / "table", rows().to_reader(), {"offset": 1})

    assert (table_version(location / "table"), read_notes(location / "table")) == (version, {"offset": 1})


@pytest.mark.parametrize("schema", [*CANONICAL.values(), *RAW.values(), ITEM_CODES, QUARANTINE])
def test_every_table_is_reader_1_writer_2_with_utc_microseconds(location: Location, schema: pa.Schema) -> None:
    create_table(location / "table", schema)
    append_rows(location / "table", schema.empty_table(), {})
    table = open_table(location / "table")
    assert table
    assert (table.protocol().min_reader_version, table.protocol().min_writer_version) == (1, 2)
    assert not table.protocol().reader_features
    assert [field.type.type for field in table.schema().fields if "time" in field.name] in (
        [],
        *[["timestamp"] * number for number in (1, 2, 3)],
    )


def test_a_table_of_many_commits_in_a_bucket_is_opened_and_written_with_few_requests(
    bucket: BucketPath, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = [append_rows(bucket / "table", rows(str(number)), {}) for number in range(21)]
    requests = FaultySeries(unchanged, 0)
    with faulty_s3(s3.endpoint, request=requests):
        open_table(bucket / "table")
        opened = len(requests.seen)
        versions.append(append_rows(bucket / "table", rows("last"), {}))
        appended = len(requests.seen) - opened
    assert versions == list(range(1, 23))
    assert opened < 2 * len(versions)
    assert appended < opened + 10, "it is opened once"
    assert len(names(bucket / "table")) == 22


def test_a_version_that_is_gone_is_one_clear_error(location: Location) -> None:
    append_rows(location / "table", rows("a"), {})

    with pytest.raises(SourceError, match="version 9 cannot be read"):
        open_table(location / "table", 9)


def test_compaction_merges_files_and_keeps_rows_notes_and_versions(location: Location) -> None:
    uri = location / "table"
    versions = [append_rows(uri, rows(str(number)), {"offset": number}) for number in range(5)]

    assert compact_table(uri, small_files=6) is False
    assert compact_table(uri, small_files=5) is True
    assert (len(table_files(uri)), names(uri), read_notes(uri)) == (1, list("01234"), {"offset": 4})
    assert names(uri, versions[1]) == ["0", "1"]


def test_vacuum_keeps_the_newest_and_the_named_versions(location: Location) -> None:
    uri = location / "table"
    versions = [replace_rows(uri, rows(str(number)), {"offset": number}) for number in range(4)]

    deleted = vacuum_table(uri, named=[versions[1], 99], retention_hours=0)

    assert len(deleted) == 2
    assert (names(uri), names(uri, versions[1]), read_notes(uri)) == (["3"], ["1"], {"offset": 3})
    with pytest.raises(FileNotFoundError):
        names(uri, versions[0])


def test_vacuum_keeps_recent_files(location: Location) -> None:
    replace_rows(location / "table", rows("a"), {})
    replace_rows(location / "table", rows("b"), {})

    assert vacuum_table(location / "table", named=[]) == []


def test_of_two_writers_of_a_bucket_the_slower_is_refused(bucket: BucketPath) -> None:
    uri = bucket / "table"
    append_rows(uri, rows("a"), {"offset": 1})

    def late() -> Iterator[pa.RecordBatch]:  # the commit of another run falls between its beginning and its end
        with ThreadPoolExecutor(1) as other:
            other.submit(append_rows, uri, rows("b"), {"offset": 2}).result()
        yield from rows("c").to_batches()

    with pytest.raises(SourceError, match="rows could not be written"):
        append_rows(uri, pa.RecordBatchReader.from_batches(SCHEMA, late()), {"offset": 2})
    assert (names(uri), read_notes(uri)) == (["a", "b"], {"offset": 2})


def test_tables_of_a_bucket_may_lie_below_any_name_that_a_home_may_have(bucket: BucketPath) -> None:
    table = Home(bucket / "a+b #?&='日本' % {x} e\u0301").root / "table"
    for number in (1, 2):
        append_rows(table, pa.table({"n": [number]}), {"batch": number})
    assert (read_notes(table), table_version(table)) == ({"batch": 2}, 2)
    assert sum(pq.read_table(file).num_rows for file in table_files(table)) == 2
    assert all(has_document(table / name) for name in file_names(table))
