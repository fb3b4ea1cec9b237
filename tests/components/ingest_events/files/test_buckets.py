"""Files in a bucket of a real S3 server are read like those of a folder; what it refuses is one line."""

from pathlib import Path

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from components.contracts.errors import ConfigurationError, RankloopError, SourceError
from components.home.storage.bucket import delta_options, store_of
from components.home.storage.locations import BucketPath
from components.ingest_events.files.locations import source_files
from components.shop.sources import FileSource
from pipelines.runs.fingerprints import sources_fingerprint
from tests.shop_files import PURCHASES, ShopFolder, shop_folder

pytestmark = pytest.mark.slow
HEADER = "customer,article,bought_at\n"
ANN, BOB = "ann,1,2024-03-01 10:00:00\n", "bob,2,2024-03-02 10:00:00\n"


def put(bucket: BucketPath, key: str, content: str | bytes = HEADER + ANN) -> None:
    obstore.put(store_of(bucket), (bucket / key).key, content.encode() if isinstance(content, str) else content)


def shop_in(folder: Path, address: str, kind: str = "csv") -> ShopFolder:
    return shop_folder(folder, PURCHASES.replace("purchases.csv", address).replace('"csv"', f'"{kind}"'))


def listed(address: str) -> tuple[list[str], dict[str, str]]:
    files = source_files("events.purchases", FileSource(kind="csv", path=address))
    return [file.key for file in files.data], files.left_out


def bought(shop: ShopFolder) -> list[tuple[str, str]]:
    return [(row["user_id"], row["item_id"]) for row in shop.raw()]


def test_new_and_changed_files_are_fetched_and_read_once(tmp_path: Path, bucket: BucketPath) -> None:
    put(bucket, "orders/day=1/a.csv")
    shop = shop_in(tmp_path, f"{bucket}/orders")
    assert shop.ingest().rows_out == 1
    before = sources_fingerprint(shop.shop())
    assert (shop.ingest().rows_in, sources_fingerprint(shop.shop())) == (0, before)

    put(bucket, "orders/day=1/a.csv", HEADER + ANN + BOB)
    put(bucket, "orders/day=2/b.csv", HEADER + BOB)

    assert (shop.ingest().rows_out, bought(shop)) == (1, [("ann", "1"), ("bob", "2")])
    assert sources_fingerprint(shop.shop()) != before


def test_parquet_and_delta_are_read_too(tmp_path: Path, bucket: BucketPath) -> None:
    rows = pa.table({"customer": ["ann"], "article": ["1"], "bought_at": ["2024-03-01 10:00:00"], "day": ["1"]})
    pq.write_table(rows, tmp_path / "a.parquet")
    put(bucket, "orders/a.parquet", (tmp_path / "a.parquet").read_bytes())
    write_deltalake((bucket / "table").url, rows, partition_by=["day"], storage_options=delta_options(bucket))

    files = shop_in(tmp_path / "files", f"{bucket}/orders/*.parquet", "parquet")
    table = shop_in(tmp_path / "table", f"{bucket}/table", "delta")

    assert (files.ingest().rows_out, table.ingest().rows_out) == (1, 1)
    assert bought(files) == bought(table)
    with pytest.raises(SourceError, match=r'is a Delta table.*`source\.kind = "delta"`'):
        shop_in(tmp_path / "wrong", f"{bucket}/table", "parquet").ingest()


def test_a_folder_a_file_and_a_pattern_are_listed_as_on_disk(bucket: BucketPath) -> None:
    for key in ("a.csv", "b.CSV", "_SUCCESS", ".c.csv", "x/d.csv", "x/_e.csv", "f.xlsx", "ab/1.csv"):
        put(bucket, f"orders/{key}")
    put(bucket, "orders-old/z.csv")
    put(bucket, "orders/empty.csv", "")

    data, left_out = listed(f"{bucket}/orders")

    assert data == ["a.csv", "ab/1.csv", "b.CSV", "x/d.csv"]
    assert set(left_out) == {"_SUCCESS", ".c.csv", "x/_e.csv", "f.xlsx", "empty.csv"}
    assert listed(f"{bucket}/orders/_SUCCESS") == (["_SUCCESS"], {})
    assert listed(f"{bucket}/orders/?.csv") == (["a.csv"], {})
    assert listed(f"{bucket}/orders/**/*.csv")[0] == ["a.csv", "ab/1.csv", "x/d.csv"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://no-such-bucket/orders", "has no bucket no-such-bucket; create it, or name another"),
        ("s3://ready/nowhere", "found no file at s3://ready/nowhere, expected csv data there"),
        ("s3://ready/nowhere/*.csv", r"found no file at s3://ready/nowhere/\*.csv, expected csv data there"),
        ("s3:///orders", "`source.path`: .*found no usable bucket and prefix"),
        ("gs://ready/orders", "found the scheme gs, expected a folder, or s3://"),
    ],
)
def test_an_address_without_files_is_one_clear_error(
    tmp_path: Path, bucket: BucketPath, address: str, said: str
) -> None:
    with pytest.raises(RankloopError, match=said) as raised:
        shop_in(tmp_path, address).ingest()
    assert str(raised.value).startswith("events.purchases: ")
    assert "\n" not in str(raised.value)


def test_refused_credentials_are_one_clear_error(
    tmp_path: Path, bucket: BucketPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")

    with pytest.raises(ConfigurationError, match=r"events\.purchases: .*the credentials are refused"):
        shop_in(tmp_path, f"{bucket}/orders").ingest()


def test_a_file_that_cannot_be_read_is_named_by_its_address(tmp_path: Path, bucket: BucketPath) -> None:
    put(bucket, "a.csv", b"customer,article,bought_at\n\xff,1,2024-03-01\n")

    with pytest.raises(SourceError, match=f"{bucket}/a.csv: line 2 holds the byte 0xFF"):
        shop_in(tmp_path, f"{bucket}/a.csv").ingest()
