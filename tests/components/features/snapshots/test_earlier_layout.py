"""A home whose sets are folders of hard links, with a symbolic link to the current one, is carried over once."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from components.contracts.errors import FeatureError
from components.contracts.handles import Handle
from components.features.snapshots.earlier_layout import carry_over
from components.features.snapshots.erasure import erase_snapshots
from components.features.snapshots.pool import POOL, PoolFile, day_name, pool_names
from components.features.snapshots.sets import FeatureSet, current_set, open_set, point_current, read_set
from components.home.data_subject import DataSubject
from tests.components.features.snapshots.feature_sets import MONDAY, TUESDAY, VIEW, a_set, snapshot

NAMES = {MONDAY: f"{day_name(MONDAY)}-0123456789abcdef", TUESDAY: f"{day_name(TUESDAY)}-0123456789abcdef"}


def files(features: Path) -> dict:
    return {day: snapshot(features, name, "12", "1228") for day, name in NAMES.items()}


def earlier_home(features: Path) -> tuple[FeatureSet, FeatureSet]:
    """A home as an earlier Rankloop left it, and its two sets as this one describes them; the second is current."""
    written = files(features)
    sets = a_set(features, 1, {MONDAY: written[MONDAY]}), a_set(features, 2, written)
    for age, one in enumerate(sets):
        folder = features / "sets" / one.digest
        for (view, day), file in one.files.items():
            (folder / view).mkdir(parents=True, exist_ok=True)
            os.link(features / POOL / file.name, folder / view / f"{day_name(day)}.parquet")
        description = json.loads(one.manifest.read_text())
        del description["files"], description["number"]
        (folder / "set.json").write_text(json.dumps(description))
        os.utime(folder / "set.json", (age, age))
        one.manifest.unlink()
    (features / "current").symlink_to(f"sets/{sets[1].digest}")
    return sets


def test_sets_and_the_current_one_are_what_they_were(tmp_path: Path) -> None:
    earlier = earlier_home(tmp_path)
    before = sorted(pool_names(tmp_path / POOL))
    carry_over(tmp_path)
    assert tuple(read_set(tmp_path, one.digest) for one in earlier) == earlier
    assert current_set(tmp_path) == earlier[1]
    assert open_set(Handle("features", str(tmp_path / "sets" / earlier[0].digest))) == earlier[0]
    assert sorted(pool_names(tmp_path / POOL)) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current.json", "pool", "sets"]
    assert sorted(path.stem for path in (tmp_path / "sets").iterdir()) == sorted(one.digest for one in earlier)


def test_a_reader_is_told_what_to_do_before(tmp_path: Path) -> None:
    earlier, _ = earlier_home(tmp_path)
    for read in (lambda: current_set(tmp_path), lambda: read_set(tmp_path, earlier.digest)):
        with pytest.raises(FeatureError, match="has the layout of an earlier Rankloop; `rankloop run` carries it over"):
            read()


def test_a_home_that_was_copied_without_its_links_is_carried_over_too(tmp_path: Path) -> None:
    earlier = earlier_home(tmp_path / "linked")
    shutil.copytree(tmp_path / "linked", tmp_path / "copy", symlinks=True)
    pruned = tmp_path / "copy" / POOL / earlier[1].files[VIEW, TUESDAY].name
    pruned.unlink()  # as earlier code did with files that nothing links to
    carry_over(tmp_path / "copy")
    found = current_set(tmp_path / "copy")
    assert found.files[VIEW, MONDAY] == earlier[1].files[VIEW, MONDAY]
    assert found.ids(VIEW, TUESDAY).to_pylist() == ["12", "1228"]


def test_a_try_that_was_cut_off_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = earlier_home(tmp_path)

    def cut_off(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("components.features.snapshots.earlier_layout.remove_folder", cut_off)
        with pytest.raises(KeyboardInterrupt):
            carry_over(tmp_path)
    carry_over(tmp_path)
    assert current_set(tmp_path) == earlier[1]
    assert not [path for path in (tmp_path / "sets").iterdir() if path.is_dir()]


def test_the_remains_of_a_set_go(tmp_path: Path) -> None:
    earlier = earlier_home(tmp_path)
    (tmp_path / "sets" / earlier[1].digest / "set.json").unlink()
    (tmp_path / "sets" / f".{earlier[1].digest}.77" / VIEW).mkdir(parents=True)
    carry_over(tmp_path)
    assert [path.stem for path in (tmp_path / "sets").iterdir()] == [earlier[0].digest]
    assert not (tmp_path / "current").is_symlink()


def test_a_current_set_of_later_runs_stays(tmp_path: Path) -> None:
    new = a_set(tmp_path, 3, files(tmp_path))
    point_current(new)
    carry_over(tmp_path)
    assert current_set(tmp_path) == new


def test_a_user_can_be_erased_before_the_next_run(tmp_path: Path) -> None:
    earlier = earlier_home(tmp_path)
    assert erase_snapshots(tmp_path, DataSubject("12")).rows == 2
    assert [read_set(tmp_path, one.digest).ids(VIEW, MONDAY).to_pylist() for one in earlier] == [["1228"], ["1228"]]
    assert not list(tmp_path.rglob("set.json"))


def test_a_manifest_lists_each_file_by_view_and_day(tmp_path: Path) -> None:
    file = snapshot(tmp_path, NAMES[MONDAY], "1")
    document = json.loads(a_set(tmp_path, 1, {MONDAY: file}).manifest.read_text())
    assert document["files"] == {VIEW: {MONDAY.isoformat(): asdict(file)}}
    assert PoolFile(**document["files"][VIEW][MONDAY.isoformat()]) == file
