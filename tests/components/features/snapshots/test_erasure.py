"""A user is erased from every snapshot that holds them, under all of its names."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from components.features.snapshots.erasure import erase_examples, erase_snapshots
from components.features.snapshots.pool import prune_pool, write_snapshot
from components.features.snapshots.sets import FeatureSet, write_set
from components.home.data_subject import Erased, Person
from tests.components.features.frames import PLAIN

MONDAY, TUESDAY = datetime(2024, 1, 8, tzinfo=UTC), datetime(2024, 1, 9, tzinfo=UTC)
ANN = Person("12")


def snapshot(path: Path, *users: str) -> Path:
    times = pa.array([MONDAY] * len(users), pa.timestamp("us", tz="UTC"))
    write_snapshot(path, pa.table({"user_id": list(users), "event_timestamp": times, "history": [[1.0]] * len(users)}))
    return path


def a_set(folder: Path, ttl_days: int, days: dict[datetime, Path]) -> FeatureSet:
    described = FeatureSet(Path(), "corner", "r1", PLAIN, ttl_days, 7, TUESDAY, tuple(days), {"events": 1})
    return write_set(folder / "sets", described, {("user_features", day): path for day, path in days.items()})


def test_the_pool_and_every_set_see_the_new_rows_under_one_file(tmp_path: Path) -> None:
    pool = tmp_path / "pool" / "r1" / "user_features"
    days = {MONDAY: snapshot(pool / "a.parquet", "1228", "12", "2"), TUESDAY: snapshot(pool / "b.parquet", "1228")}
    sets = [a_set(tmp_path, ttl_days, days) for ttl_days in (1, 2)]
    untouched = days[TUESDAY].stat().st_ino

    assert erase_snapshots(tmp_path, ANN) == Erased(rows=1, files=3, searched=2)

    for found in sets:
        assert found.ids("user_features", MONDAY).to_pylist() == ["1228", "2"]
        assert found.path("user_features", MONDAY).stat().st_ino == days[MONDAY].stat().st_ino
    assert days[TUESDAY].stat().st_ino == untouched
    assert prune_pool(tmp_path / "pool", keep=()) == 0
    assert erase_snapshots(tmp_path, ANN) == Erased(searched=2)


def test_a_try_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    pool = tmp_path / "pool" / "r1" / "user_features"
    found = a_set(tmp_path, 1, {MONDAY: snapshot(pool / "a.parquet", "12", "2")})
    (pool / "a.parquet").unlink()
    snapshot(pool / "a.parquet", "2")  # the pool was written, the set not yet
    snapshot(pool / ".a.parquet.77", "12")
    half = tmp_path / "sets" / ".0123.77" / "user_features"
    snapshot(half / "a.parquet", "12")

    assert erase_snapshots(tmp_path, ANN).rows == 1

    assert found.ids("user_features", MONDAY).to_pylist() == ["2"]
    assert not list(tmp_path.rglob(".*"))


def test_examples_that_hold_the_users_requests_go_as_a_whole(tmp_path: Path) -> None:
    for name, user in (("theirs", "12"), ("others", "1228"), (".draft", "1228")):
        snapshot(tmp_path / name / "train_requests.parquet", user)
    assert erase_examples(tmp_path, ANN).rows == 1
    assert [path.name for path in tmp_path.iterdir()] == ["others"]
    assert pq.read_table(tmp_path / "others" / "train_requests.parquet")["user_id"].to_pylist() == ["1228"]
    assert erase_examples(tmp_path / "none", ANN) == Erased()
