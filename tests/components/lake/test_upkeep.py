"""Old versions of a table stay as long as somebody names them, and then go without anybody noticing."""

import json
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from components.bundles.manifest import SIDECAR
from components.bundles.store import bundle_place
from components.contracts.handles import Handle
from components.home.layout import Home
from components.home.runs.step_records import StepRecord
from components.home.storage.documents import write_document
from components.home.storage.locations import Location
from components.lake.tables import append_rows, create_table, open_table, read_notes, replace_rows
from components.lake.upkeep import LAST_VACUUM, SMALL_FILES, tidy_tables
from tests.shop_files import shop_folder

SCHEMA = pa.schema([("number", pa.int64())])
NEWEST = 9


def write(place: Location, document: object) -> None:
    write_document(place, json.dumps(document).encode())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return filled_home(tmp_path)


def filled_home(root: Location) -> Home:
    """Fill a raw and a clean table of items and a quarantine: version n holds the number n, the first one nothing."""
    home = Home(root)
    for table in (home.raw / "items", home.clean / "items", home.quarantine):
        create_table(table, SCHEMA)  # version 0
        for number in range(1, NEWEST + 1):
            replace_rows(table, pa.table({"number": [number]}, SCHEMA), {"number": number})
    return home


def name_versions(home: Home) -> None:
    """Let a run, a feature set and a bundle name versions of the tables."""
    raw, clean = Handle("raw", "", {"items": 1}), Handle("clean", "", {"items": 2, "quarantine": 4})
    handles = [raw, clean, Handle("drift", "", {"items": 3})]
    record = StepRecord("a_step", handles={handle.kind: handle for handle in handles})
    write(home.run("r1") / "steps" / "a_step.json", asdict(record))
    write(home.features / "sets" / "abc.json", {"versions": {"items": 5, "quarantine": 6}})
    write(bundle_place(home.models, "shop", "sha256:abc") / SIDECAR, {"versions": {"items": 7, "quarantine": 8}})


def standing(place: Location) -> list[int]:
    """The versions whose rows can still be read, of those that held rows."""
    numbers = []
    for version in range(NEWEST + 1):
        table = open_table(place, version)
        assert table is not None
        with suppress(FileNotFoundError):
            numbers += table.to_pyarrow_table()["number"].to_pylist()
    return numbers


def test_versions_that_somebody_names_stay(location: Location) -> None:
    home = filled_home(location)
    name_versions(home)

    for folder in (home.raw, home.clean, home.quarantine.parent):
        tidy_tables(home, folder, retention_hours=0)

    assert standing(home.raw / "items") == [1, NEWEST]
    assert standing(home.clean / "items") == [2, 3, 5, 7, NEWEST]
    assert standing(home.quarantine) == [4, 6, 8, NEWEST]
    assert read_notes(home.clean / "items") == {"number": NEWEST}


def test_recent_versions_stay(home: Home) -> None:
    tidy_tables(home, home.clean)

    assert standing(home.clean / "items") == list(range(1, NEWEST + 1))


@pytest.mark.parametrize("odd", ["{", "[]", '{"handles": null}', '{"handles": {"raw": 1}}'])
def test_what_cannot_be_read_may_name_any_version(home: Home, odd: str, capsys: pytest.CaptureFixture[str]) -> None:
    name_versions(home)
    (home.run("r1") / "steps" / "a_step.json").write_text(odd)

    tidy_tables(home, home.clean, retention_hours=0)

    assert standing(home.clean / "items") == list(range(1, NEWEST + 1))
    assert "old versions are kept for now" in capsys.readouterr().err


@pytest.mark.parametrize("unreachable", ["runs", "features/sets", "models/models"])
def test_folders_that_cannot_be_reached_may_name_any_version(home: Home, unreachable: str) -> None:
    name_versions(home)
    (home.root / unreachable).rename(home.root / "aside")
    (home.root / unreachable).symlink_to("not mounted")

    tidy_tables(home, home.clean, retention_hours=0)

    assert standing(home.clean / "items") == list(range(1, NEWEST + 1))


def test_a_merge_that_fails_waits_for_another_time(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    table = home.clean / "items"
    for number in range(SMALL_FILES):
        append_rows(table, pa.table({"number": [number]}, SCHEMA), {})
    Path(DeltaTable(table).file_uris()[0]).unlink()

    tidy_tables(home, home.clean)

    assert len(DeltaTable(table).file_uris()) > SMALL_FILES
    assert "small files and old versions are kept for now" in capsys.readouterr().err


def test_runs_look_once_a_week(tmp_path: Path) -> None:
    shop = shop_folder(tmp_path, purchases="customer,article,bought_at\na,1,2024-03-01\n")
    shop.validate()
    lasts = [folder / LAST_VACUUM for folder in (shop.home.raw, shop.home.clean, shop.home.root / "lake")]
    for last, days in product(lasts, (6, 8)):
        before = datetime.now(UTC) - timedelta(days=days)
        last.write_text(before.isoformat())
        shop.validate()
        assert (datetime.fromisoformat(last.read_text()) > before) == (days > 7)
