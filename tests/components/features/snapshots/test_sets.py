"""A set is a manifest: equal ones share a name, old ones are pruned, and the pool keeps what manifests name."""

from pathlib import Path

import pytest

from components.contracts.errors import FeatureError
from components.features.snapshots.pool import POOL, pool_names, prune_pool
from components.features.snapshots.sets import (
    KEPT_SETS,
    FeatureSet,
    check_files,
    current_set,
    point_current,
    pooled_files,
    prune_sets,
    read_set,
    write_set,
)
from tests.components.features.snapshots.feature_sets import MONDAY, TUESDAY, VIEW, a_set, description, snapshot


def plain_set(features: Path, ttl_days: int = 1) -> FeatureSet:
    return a_set(features, ttl_days, {MONDAY: snapshot(features, "a", "1")})


def test_a_set_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = plain_set(tmp_path)
    assert read_set(tmp_path, written.digest) == written
    assert written.ids(VIEW, MONDAY).to_pylist() == ["1"]
    assert plain_set(tmp_path).digest == written.digest
    assert plain_set(tmp_path, ttl_days=2).digest != written.digest


def test_other_delta_versions_of_the_same_rows_are_the_same_set(tmp_path: Path) -> None:
    written = plain_set(tmp_path)
    same_rows = description(ttl_days=1, versions={"events": 7})
    assert write_set(tmp_path, same_rows, written.files) == written


def test_the_newest_sets_and_those_to_keep_stay(tmp_path: Path) -> None:
    sets = [plain_set(tmp_path, days) for days in range(1, KEPT_SETS + 4)]
    point_current(sets[1])
    prune_sets(tmp_path, keep=sets[0].digest)
    remaining = {path.stem for path in (tmp_path / "sets").iterdir()}
    assert remaining == {one.digest for one in (*sets[:2], *sets[-KEPT_SETS:])}


def test_the_pool_keeps_what_manifests_name(tmp_path: Path) -> None:
    files = {day: snapshot(tmp_path, name, "1") for day, name in ((MONDAY, "a"), (TUESDAY, "b"))}
    a_set(tmp_path, 1, {MONDAY: files[MONDAY]})
    snapshot(tmp_path, ".c.parquet.77", "1")
    assert prune_pool(tmp_path / POOL, keep=prune_sets(tmp_path)) == 2
    assert list(pool_names(tmp_path / POOL)) == [files[MONDAY].name]


def test_a_reader_whose_set_was_pruned_gets_one_clear_line(tmp_path: Path) -> None:
    held = plain_set(tmp_path)
    prune_pool(tmp_path / POOL, keep=())
    for read in (lambda: held.ids(VIEW, MONDAY), lambda: check_files(held)):
        with pytest.raises(FeatureError, match=rf"found no file, and feature set {held.digest} names it"):
            read()


def test_a_pool_file_that_no_manifest_knows_is_digested(tmp_path: Path) -> None:
    file = snapshot(tmp_path, "a", "1")
    assert pooled_files(tmp_path, [file.name, "r1/user_features/other.parquet"]) == {file.name: file}


def test_the_current_set_moves_forward_unless_it_may_go_back(tmp_path: Path) -> None:
    early = plain_set(tmp_path)
    late = a_set(tmp_path, 1, {TUESDAY: snapshot(tmp_path, "b", "1")})
    assert point_current(late)
    assert not point_current(early)
    assert current_set(tmp_path) == late
    assert point_current(early, allow_earlier=True)
    assert current_set(tmp_path) == early


@pytest.mark.parametrize("content", ["{", "[]", '{"set": 3}'])
def test_a_current_document_that_names_no_set_is_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "current.json").write_text(content)
    with pytest.raises(FeatureError, match="found no feature set; `rankloop run` builds features"):
        current_set(tmp_path)
    written = plain_set(tmp_path)
    assert point_current(written)
    assert current_set(tmp_path) == written


def test_what_is_no_manifest_is_left_out(tmp_path: Path) -> None:
    written = plain_set(tmp_path)
    written.manifest.write_text("{")
    with pytest.raises(FeatureError, match="was written by other feature definitions"):
        read_set(tmp_path, written.digest)
    assert prune_sets(tmp_path) == set()
    assert plain_set(tmp_path) == written
