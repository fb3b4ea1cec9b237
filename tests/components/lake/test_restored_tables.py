"""Tables brought back to what they were."""

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from components.contracts.errors import SourceError
from components.lake.tables import append_rows, noted_version, read_notes, replace_rows, restore_version
from components.lake.upkeep import compact_table

SCHEMA = pa.schema([("name", pa.string())])


def rows(*names: str) -> pa.Table:
    return pa.table({"name": list(names)}, SCHEMA)


def names(uri: Path, version: int | None = None) -> list[str]:
    return sorted(DeltaTable(uri, version=version).to_pyarrow_table()["name"].to_pylist())


def test_rows_and_notes_come_back_and_later_versions_stay_readable(tmp_path: Path) -> None:
    uri = tmp_path / "table"
    append_rows(uri, rows("a"), {"batch": 1})
    append_rows(uri, rows("b"), {"batch": 2})
    replace_rows(uri, rows("c"), {"batch": 3})

    restore_version(uri, 1)

    assert (names(uri), read_notes(uri)) == (["a", "b"], {"batch": 2})
    assert names(uri, 2) == ["c"]


@pytest.mark.parametrize("folder", ["home", "home#1", "home?"])
def test_the_newest_version_with_such_notes_is_found(tmp_path: Path, folder: str) -> None:
    uri = tmp_path / folder / "table"
    assert noted_version(uri, lambda notes: True) is None
    append_rows(uri, rows("a"), {"batch": 1})
    append_rows(uri, rows("b"), {"batch": 2})
    assert compact_table(uri, small_files=2)
    append_rows(uri, rows("c"), {"batch": 3})

    assert noted_version(uri, lambda notes: notes["batch"] == 2) == 2
    assert noted_version(uri, lambda notes: notes["batch"] == 9) is None


def test_a_version_whose_files_are_gone_is_one_clear_error(tmp_path: Path) -> None:
    uri = tmp_path / "table"
    append_rows(uri, rows("a"), {"batch": 1})
    replace_rows(uri, rows("b"), {"batch": 2})
    for file in DeltaTable(uri, version=0).file_uris():
        Path(file).unlink()

    with pytest.raises(SourceError, match="version 0 could not be restored"):
        restore_version(uri, 0)
    assert names(uri) == ["b"]
