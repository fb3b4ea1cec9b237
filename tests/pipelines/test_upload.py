"""A shop's local sources in a bucket, and the shop file that reads them there."""

import tomllib
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from components.contracts.errors import ConfigurationError, SourceError
from components.home.layout import Home
from components.home.storage.bucket import delta_options
from components.home.storage.locations import BucketPath
from components.ingest_events.ingestion import ingest_events
from components.shop.settings import load_shop
from pipelines.upload import moved_shop_file, plan_uploads
from tests.pipelines.homes.tiny_shop import FEW, make_tiny_shop, rankloop, the_one_line
from tests.shop_files import NOW, TINY_SHOP

NOWHERE = BucketPath("bucket", "shops/tiny")
ROW = "user,item,time\nann,apple,2026-01-01\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose shop has one row in each of several files."""
    folder = tmp_path / "shop"
    for name in ("purchases.csv", "days/1.csv", "days/2.csv", "days/_later.csv", "days/notes.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(ROW)
    return folder


def shop_of(folder: Path, path: str, kind: str = "csv") -> Path:
    """Write a shop file whose one source has a path, as TOML."""
    shop_file = folder / "shop.toml"
    shop_file.write_text(TINY_SHOP.replace('"purchases.csv"', path).replace('"csv"', f'"{kind}"'))
    return shop_file


def rows_of(shop_file: Path, home: Path) -> int:
    """Bring the rows of a shop into a home; return how many."""
    return ingest_events(load_shop(shop_file), Home(home), NOW, print).rows_out or 0


@pytest.mark.parametrize(
    ("path", "moved", "keys"),
    [
        ("'purchases.csv'", "purchases.csv", ["purchases.csv"]),
        ('"days"', "days", ["days/1.csv", "days/2.csv"]),
        ('"./days/[12].csv"', "days/[12].csv", ["days/1.csv", "days/2.csv"]),
        ('"../shop/days/1.csv"', "shop/days/1.csv", ["shop/days/1.csv"]),
        ('"FOLDER/days/1.csv"', "FOLDER/days/1.csv", ["FOLDER/days/1.csv"]),
        ('"package:tests/shop_files.py"', "tests/shop_files.py", ["tests/shop_files.py"]),
    ],
)
def test_a_source_keeps_its_path_below_the_prefix(folder: Path, path: str, moved: str, keys: list[str]) -> None:
    shop_file = shop_of(folder, path.replace("FOLDER", str(folder)))
    (upload,) = plan_uploads(shop_file, NOWHERE)
    inside = str(folder).lstrip("/")
    assert [each.key for each in upload.files] == [f"shops/tiny/{key}".replace("FOLDER", inside) for key in keys]
    shop = tomllib.loads(moved_shop_file(shop_file, [upload]))
    assert shop["events"][0]["source"]["path"] == f"s3://bucket/shops/tiny/{moved}".replace("FOLDER", inside)


def test_sources_elsewhere_stay_there(folder: Path) -> None:
    shop_file = shop_of(folder, '"s3://other/purchases.csv"')
    assert plan_uploads(shop_file, NOWHERE) == []
    assert moved_shop_file(shop_file, []) == shop_file.read_text()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('kind = "csv", path = "orders.csv"', "found no file at"),
        ('kind = "delta", path = "days"', "found no Delta table at"),
        ('kind = "sql", url = "sqlite:///shop.db", table = "orders"', "expected a source that pods can reach"),
        ('kind = "csv", path = "days\\u002f1.csv"', "written with escapes"),
    ],
)
def test_what_cannot_be_uploaded_is_said_before_anything_is(folder: Path, source: str, words: str) -> None:
    shop_file = folder / "shop.toml"
    shop_file.write_text(TINY_SHOP.replace('kind = "csv", path = "purchases.csv"', source))
    with pytest.raises((ConfigurationError, SourceError), match=words):
        moved_shop_file(shop_file, plan_uploads(shop_file, NOWHERE))


def test_two_files_are_not_put_in_one_place(folder: Path) -> None:
    (folder.parent / "1.csv").write_text(ROW)
    (folder / "1.csv").write_text(ROW)
    shop_file = shop_of(folder, '"../1.csv"')
    second = TINY_SHOP[TINY_SHOP.index("[[") :].replace('"purchases"', '"orders"').replace("purchases.csv", "1.csv")
    shop_file.write_text(shop_file.read_text() + second)
    with pytest.raises(ConfigurationError, match=f"would both be {NOWHERE}/1"):
        plan_uploads(shop_file, NOWHERE)


def test_an_uploaded_shop_brings_in_the_same_rows(bucket: BucketPath, tmp_path: Path) -> None:
    local, moved = make_tiny_shop(tmp_path / "shop", FEW), tmp_path / "moved.toml"
    ended = rankloop("upload", str(bucket), "--shop", local)
    assert ended.returncode == 0, ended.stderr
    moved.write_text(ended.stdout)
    one, other = (rows_of(file, tmp_path / file.stem) for file in (local, moved))
    assert one == other
    assert one > 100


def test_a_delta_table_is_uploaded_whole(bucket: BucketPath, folder: Path) -> None:
    for user in ("ann", "bob"):
        write_deltalake(folder / "orders", pa.table({"user": [user], "item": ["apple"], "time": [NOW]}), mode="append")
    shop_file = shop_of(folder, '"orders"', kind="delta")
    (upload,) = plan_uploads(shop_file, bucket)
    upload.run()
    table = DeltaTable(f"{bucket.url}/orders", storage_options=delta_options(bucket))
    assert sorted(pa.table(table.to_pyarrow_table())["user"].to_pylist()) == ["ann", "bob"]


def test_a_folder_is_no_place_for_an_upload(folder: Path) -> None:
    assert "expected s3://BUCKET/PREFIX" in the_one_line(
        rankloop("upload", folder, "--shop", shop_of(folder, '"x"')), 2
    )
