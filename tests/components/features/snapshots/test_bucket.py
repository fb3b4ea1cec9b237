"""Pool, sets and erasure in a bucket are what they are in a folder."""

from pathlib import Path

import pytest

from components.contracts.errors import FeatureError
from components.contracts.handles import Handle
from components.features.snapshots.pool import POOL, pool_names, prune_pool
from components.features.snapshots.sets import current_set, open_set, point_current, prune_sets
from components.home.storage.documents import remove_document
from components.home.storage.locations import BucketPath
from tests.components.features.snapshots.feature_sets import MONDAY, TUESDAY, VIEW, a_set, snapshot


def test_a_set_of_a_bucket_is_that_of_a_folder(tmp_path: Path, bucket: BucketPath) -> None:
    days = {MONDAY: "a-1", TUESDAY: "b-1"}
    here, there = (
        a_set(place, 1, {day: snapshot(place, name, "1", "12") for day, name in days.items()})
        for place in (tmp_path, bucket)
    )
    assert (there.digest, there.files) == (here.digest, here.files)
    assert point_current(there)
    assert current_set(bucket) == open_set(Handle("features", str(there.manifest))) == there
    assert there.newest(VIEW).read_bytes() == here.newest(VIEW).read_bytes()


def test_a_damaged_file_of_the_cache_is_fetched_again(bucket: BucketPath) -> None:
    written = a_set(bucket, 1, {MONDAY: snapshot(bucket, "a-1", "1")})
    cached = written.newest(VIEW)
    cached.unlink()
    cached.write_bytes(b"PAR1")
    assert written.ids(VIEW, MONDAY).to_pylist() == ["1"]


def test_an_object_that_went_is_said_in_one_line(bucket: BucketPath) -> None:
    written = a_set(bucket, 1, {MONDAY: snapshot(bucket, "a-1", "1")})
    written.newest(VIEW).unlink()
    remove_document(bucket / POOL / written.files[VIEW, MONDAY].name)
    with pytest.raises(FeatureError, match="found no file, and feature set"):
        written.newest(VIEW)


def test_the_pool_keeps_what_manifests_name(bucket: BucketPath) -> None:
    kept = a_set(bucket, 1, {MONDAY: snapshot(bucket, "a-1", "1")})
    snapshot(bucket, "b-1", "1")
    assert prune_pool(bucket / POOL, keep=prune_sets(bucket)) == 1
    assert list(pool_names(bucket / POOL)) == [kept.files[VIEW, MONDAY].name]
