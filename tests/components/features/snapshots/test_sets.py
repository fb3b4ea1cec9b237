"""What a kill leaves of a set that was being removed neither stays nor stands in the way."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from components.features.snapshots.pool import write_snapshot
from components.features.snapshots.sets import KEPT_SETS, FeatureSet, prune_sets, write_set
from tests.components.features.frames import PLAIN

MONDAY = datetime(2024, 1, 8, tzinfo=UTC)


def built(folder: Path, ttl_days: int) -> FeatureSet:
    snapshot = folder / "pool" / "a.parquet"
    write_snapshot(snapshot, pa.table({"event_timestamp": [MONDAY]}))
    described = FeatureSet(Path(), "corner", "r1", PLAIN, ttl_days, 7, MONDAY, (MONDAY,), {"events": 1})
    return write_set(folder / "sets", described, {("user_features", MONDAY): snapshot})


def test_the_remains_of_a_set_are_swept_and_may_be_built_again(tmp_path):
    half_gone = built(tmp_path, 1)
    (half_gone.folder / "set.json").unlink()
    assert built(tmp_path, 1).path("user_features", MONDAY).exists()
    (half_gone.folder / "set.json").unlink()
    prune_sets(tmp_path)
    assert list((tmp_path / "sets").iterdir()) == []


def test_the_newest_sets_and_those_to_keep_stay(tmp_path):
    sets = [built(tmp_path, days) for days in range(1, KEPT_SETS + 4)]
    for age, one in enumerate(sets):
        os.utime(one.folder / "set.json", (age, age))
    prune_sets(tmp_path, keep=sets[0].digest)
    left = {path.name for path in (tmp_path / "sets").iterdir()}
    assert left == {sets[0].digest, *(one.digest for one in sets[-KEPT_SETS:])}
