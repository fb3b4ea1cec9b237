"""A user is erased from a table, its old versions and its log; what others read goes on."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from components.contracts.errors import SourceError
from components.home.data_subject import DataSubject, Erased
from components.home.storage.documents import has_document, names_below, read_document, write_document
from components.home.storage.locations import Location
from components.home.storage.scratch import uncached_file
from components.lake.erasure import erase_rows, holds_user, parts_in_file
from components.lake.tables import append_rows, create_table, open_table, read_notes, replace_rows, table_version
from components.lake.upkeep import vacuum_table

SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("found", pa.string()),
        ("map", pa.map_(pa.string(), pa.string())),
        ("value", pa.int64()),
    ]
)
ANN = DataSubject("ann-17", frozenset({"user_id", 'cust "no"'}))


def rows(*users: str | None, found: str | None = None) -> pa.Table:
    columns = {"user_id": list(users), "found": [found] * len(users), "map": [{"a": "b"}] * len(users)}
    return pa.table(columns | {"value": list(range(len(users)))}, schema=SCHEMA)


def users_of(uri: Location, version: int | None = None) -> list[Any]:
    table = open_table(uri, version)
    assert table is not None
    return sorted(table.to_pyarrow_table()["user_id"].to_pylist(), key=str)


def holds(file: Location, person: DataSubject) -> bool:
    with uncached_file(file) as path:
        return holds_user(path, person)


@pytest.fixture
def uri(location: Location) -> Location:
    """A table of four versions, in a folder or in a bucket; the greatest id of two commits is Ann's."""
    table = location / "events"
    create_table(table, SCHEMA)
    append_rows(table, rows("aaa", "ann-17"), {"batch": 1})
    append_rows(table, rows("aab", "ann-170", None), {"batch": 2})
    append_rows(table, rows("ann-17"), {"batch": 3})
    return table


def test_rows_old_files_and_statistics_are_gone_and_notes_stay(uri: Location) -> None:
    assert erase_rows(uri, ANN) == Erased(rows=2, files=7, searched=7)
    assert users_of(uri) == [None, "aaa", "aab", "ann-170"]
    assert read_notes(uri) == {"batch": 3}
    assert not [name for name in names_below(uri) if re.search(rb"ann-17(?!0)", read_document(uri / name) or b"")]
    assert erase_rows(uri, ANN) == Erased(searched=4)
    append_rows(uri, rows("bob"), {"batch": 4})
    assert users_of(uri, 4) == [None, "aaa", "aab", "ann-170"]
    assert "bob" in users_of(uri, 5)


def test_who_is_not_there_changes_nothing(uri: Location) -> None:
    assert erase_rows(uri, DataSubject("ann")) == Erased(searched=7)
    assert table_version(uri) == 3
    assert erase_rows(uri.with_name("nothing"), ANN) == Erased()


def test_an_older_version_is_one_clear_error_and_upkeep_goes_on(uri: Location) -> None:
    erase_rows(uri, ANN)
    with pytest.raises(
        SourceError, match=r"events: version 2 cannot be read .* a run that names it cannot be repeated"
    ):
        open_table(uri, 2)
    append_rows(uri, rows("bob"), {"batch": 4})
    replace_rows(uri, rows("cid"), {"batch": 5})
    vacuum_table(uri, named={1, 2, 4}, retention_hours=0)
    assert (users_of(uri), len(users_of(uri, 4))) == (["cid"], 4)


def test_the_version_that_was_accepted_stays_readable_beside_the_newest(uri: Location) -> None:
    erase_rows(uri, ANN, accepted=lambda notes: notes["batch"] == 2)
    assert read_notes(uri, 4) == {"batch": 2}
    assert users_of(uri, 4) == [None, "aaa", "aab", "ann-170"]
    assert (users_of(uri), read_notes(uri)) == ([None, "aaa", "aab", "ann-170"], {"batch": 3})


@pytest.mark.parametrize(("user", "other"), [("1433", "1"), ("1" * 40, "1" * 9), ("a" * 40 + "1", "a" * 40 + "2")])
def test_ids_that_begin_alike_are_told_apart_in_statistics(tmp_path: Path, user: str, other: str) -> None:
    table = tmp_path / "events"
    append_rows(table, rows(other), {})
    assert erase_rows(table, DataSubject(user)) == Erased(searched=2)
    append_rows(table, rows(user), {})
    assert erase_rows(table, DataSubject(user)).rows == 1
    assert erase_rows(table, DataSubject(user)) == Erased(searched=4)


@pytest.mark.parametrize("named", ['"ann-17"', '" ann-17 "', '"\\t\\u200bann-17\\u00a0"'])
def test_rows_as_they_were_found_are_known_by_the_columns_that_hold_users(tmp_path: Path, named: str) -> None:
    table = tmp_path / "quarantine"
    theirs = f'{{"cust \\"no\\"": {named}, "item": 1}}'
    append_rows(table, pa.concat_tables([rows(None, found=theirs), rows(None, found='{"item": "ann-17"}')]), {})
    assert erase_rows(table, ANN).rows == 1
    assert DeltaTable(table).to_pyarrow_table()["found"].to_pylist() == ['{"item": "ann-17"}']


@pytest.mark.parametrize(
    ("cell", "theirs"), [("12", True), ("12.0", True), ('"12.00"', True), ("1228", False), ("112", False)]
)
def test_a_number_is_the_id_that_it_was_read_as(tmp_path: Path, cell: str, theirs: bool) -> None:
    table = tmp_path / "quarantine"
    append_rows(table, rows(None, found=f'{{"user_id": {cell}}}'), {})
    assert erase_rows(table, DataSubject("12")).rows == int(theirs)
    assert DataSubject("12").is_in(json.loads(f'{{"user_id": {cell}}}')) is theirs


def test_what_a_kill_left_is_erased_by_another_try(uri: Location) -> None:
    draft = uri / "part-00000-killed.snappy.parquet"
    write_document(draft, b"PAR1 not whole")
    replace_rows(uri, rows("aaa"), {"batch": 3})  # the first commit of an erasure that was cut off
    assert erase_rows(uri, ANN).files == 10
    assert not has_document(draft)
    assert not any(holds(uri / name, ANN) for name in names_below(uri))
    assert erase_rows(uri, ANN, again=True).rows == 0
    assert users_of(uri) == ["aaa"]


def test_ids_of_odd_characters(tmp_path: Path) -> None:
    table, odd = tmp_path / "events", 'o\'hara "x" ä%_\\ 𝄞'
    append_rows(table, rows(odd, "other"), {})
    assert erase_rows(table, DataSubject(odd)).rows == 1
    assert users_of(table) == ["other"]


SESSIONS = pa.schema(
    [
        ("user_id", pa.string()),
        ("session_id", pa.string()),
        ("context", pa.string()),
        ("attributes", pa.map_(pa.string(), pa.string())),
    ]
)


def sessions(*cells: tuple[str | None, str | None, str | None, str]) -> pa.Table:
    rows = [(*each[:3], [("by", each[3])]) for each in cells]
    return pa.table(dict(zip(SESSIONS.names, zip(*rows, strict=True), strict=True)), schema=SESSIONS)


def test_the_id_as_a_part_of_other_rows_gives_way_to_a_stand_in(tmp_path: Path) -> None:
    table, ann = tmp_path / "events", DataSubject("ann-17", tombstone="t")
    before = sessions(
        ("ann-17", "ann-17-1", None, "x"),
        ("bob", "ann-17-1", '{"ref": "by ann-17"}', "mail/ann-17"),
        (None, "ann-170-1", '{"ref": "joann-17"}', "ann-170"),
        ("ann-17-b", "ann-17-b-1", '{"ref": "ann-17-b"}', "ann-17-b"),
        ("bob", None, None, "x"),
    )
    append_rows(table, before, {})

    erased = erase_rows(table, ann)

    assert (erased.rows, erased.parts) == (1, 3)
    them = ann.part.stand_in
    assert (
        DeltaTable(table).to_pyarrow_table().to_pylist()
        == sessions(
            ("bob", f"{them}-1", f'{{"ref": "by {them}"}}', f"mail/{them}"),
            (None, "ann-170-1", '{"ref": "joann-17"}', "ann-170"),
            ("ann-17-b", "ann-17-b-1", '{"ref": "ann-17-b"}', "ann-17-b"),
            ("bob", None, None, "x"),
        ).to_pylist()
    )
    assert not any(parts_in_file(path, ann) for path in table.glob("*.parquet"))
    assert erase_rows(table, ann).parts == 0


def test_a_short_id_is_a_part_of_ids_alone(tmp_path: Path) -> None:
    table, person = tmp_path / "events", DataSubject("12", tombstone="t")
    before = [("bob", "12-20260909-1", '{"session_id": "12-1", "n": 12, "size": "12 oz"}', "12 oz")]
    append_rows(table, sessions(*before, ("bob", "4123", "{}", "12")), {})
    assert erase_rows(table, person).parts == 2
    them = person.part.stand_in
    [first, second] = DeltaTable(table).to_pyarrow_table().to_pylist()
    assert first["session_id"] == f"{them}-20260909-1"
    assert first["context"] == f'{{"session_id": "{them}-1", "n": 12, "size": "12 oz"}}'
    assert (first["attributes"], second["session_id"]) == ([("by", "12 oz")], "4123")


def test_a_short_id_beside_the_rows_own_user_is_a_counter(tmp_path: Path) -> None:
    table, person = tmp_path / "events", DataSubject("12", tombstone="t")
    cells = ["55-20260909-12", "s_12_55", "12-20260909-1", "155-12"]
    append_rows(table, sessions(*(("55", cell, None, "x") for cell in cells), (None, "7-12", None, "x")), {})
    assert erase_rows(table, person).parts == 3
    them = person.part.stand_in
    left = DeltaTable(table).to_pyarrow_table()["session_id"].to_pylist()
    assert left == [*cells[:2], f"{them}-20260909-1", f"155-{them}", f"7-{them}"]
    telling = DataSubject("user-12", tombstone="t")
    append_rows(table, sessions(("55", "55-user-12", None, "x")), {})
    assert erase_rows(table, telling).parts == 1
