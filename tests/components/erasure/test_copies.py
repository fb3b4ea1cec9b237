"""What this machine keeps of a bucket holds nothing of a user who was erased, and the rest stays."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.erasure.copies import erase_copies
from components.home.data_subject import DataSubject, Erased
from components.home.disk.durable import write_durably
from components.home.disk.presence import files_below
from components.home.runs.work_folder import local_runs
from components.home.storage.cache import object_cache
from components.home.storage.documents import write_document
from components.home.storage.locations import BucketPath
from components.home.storage.objects import fetch_file, fetch_named, local_folder, publish_file, publish_folder


def table(folder: Path, user: str) -> Path:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table({"user_id": [user]}), folder / "rows.parquet")
    return folder


@pytest.mark.parametrize("user", ["12", "user-12"])
def test_cached_objects_and_copies_of_folders_that_hold_the_user_go(
    user: str, tmp_path: Path, bucket: BucketPath
) -> None:
    kept, gone = [], []
    for copies, name in ((gone, user), (kept, "128")):
        publish_file(table(tmp_path / "draft", name) / "rows.parquet", bucket / f"pool-{name}.parquet")
        copies.append(fetch_file(bucket / f"pool-{name}.parquet"))
        write_document(bucket / f"{name}.json", f'{{"user_id": "{name}"}}'.encode())
        copies.append(fetch_named(bucket / f"{name}.json"))
        publish_folder(table(tmp_path / f"draft-{name}", name), bucket / f"examples-{name}")
        copies.append(local_folder(bucket / f"examples-{name}"))

    assert erase_copies(bucket, DataSubject(user)).files == 3  # pool file and folder hold the same table

    assert [path.exists() for path in (*gone, *kept)] == [False] * 3 + [True] * 3
    assert not any(f'"{user}"'.encode() in path.read_bytes() for path in files_below(object_cache().folder))
    assert erase_copies(bucket, DataSubject(user)).files == 0


def test_what_killed_runs_of_the_home_left_goes_and_other_homes_keep_theirs(bucket: BucketPath) -> None:
    left, kept = (local_runs(home) / "run-1" / "scratch" / "rows.csv" for home in (bucket, bucket / "another"))
    for file in (left, kept):
        write_durably(file, b"user_id\nann\n")
    assert erase_copies(bucket, DataSubject("12")) == Erased(files=1)
    assert (left.exists(), kept.exists()) == (False, True)


def test_a_machine_without_a_cache_has_nothing_to_erase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANKLOOP_CACHE", str(tmp_path / "none"))
    assert erase_copies(BucketPath("b"), DataSubject("12")) == Erased()
