"""A user is erased from every snapshot that holds them, in every set."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from components.features.snapshots.erasure import erase_examples, erase_snapshots
from components.features.snapshots.pool import POOL, pool_names, prune_pool, write_rows
from components.features.snapshots.sets import prune_sets, read_set
from components.home.data_subject import Erased, Person
from components.home.storage.documents import write_document
from components.home.storage.locations import Location
from components.home.storage.objects import has_folder, local_folder, publish_folder
from tests.components.features.snapshots.feature_sets import MONDAY, TUESDAY, VIEW, a_set, rows_of, snapshot

ANN = Person("12")


def test_every_set_names_a_file_without_the_user(tmp_path: Path) -> None:
    days = {MONDAY: snapshot(tmp_path, "a-1", "1228", "12", "2"), TUESDAY: snapshot(tmp_path, "b-1", "1228")}
    sets = [a_set(tmp_path, ttl_days, days) for ttl_days in (1, 2)]

    assert erase_snapshots(tmp_path, ANN) == Erased(rows=1, files=1, searched=2)

    for before in sets:
        found = read_set(tmp_path, before.digest)
        assert found.ids(VIEW, MONDAY).to_pylist() == ["1228", "2"]
        assert found.files[VIEW, TUESDAY] == before.files[VIEW, TUESDAY]
    assert days[MONDAY].name not in pool_names(tmp_path / POOL)
    assert prune_pool(tmp_path / POOL, keep=prune_sets(tmp_path)) == 0
    assert erase_snapshots(tmp_path, ANN) == Erased(searched=2)


@pytest.mark.parametrize("step", ["_replace_in_manifests", "remove_document"])
def test_a_try_that_was_cut_off_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    found = a_set(tmp_path, 1, {MONDAY: snapshot(tmp_path, "a-1", "12", "2")})
    snapshot(tmp_path, ".a.parquet.77", "12")

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"components.features.snapshots.erasure.{step}", cut_off)
        with pytest.raises(KeyboardInterrupt):
            erase_snapshots(tmp_path, ANN)

    erase_snapshots(tmp_path, ANN)

    assert read_set(tmp_path, found.digest).ids(VIEW, MONDAY).to_pylist() == ["2"]
    assert len(list(pool_names(tmp_path / POOL))) == 1


def test_examples_that_hold_the_users_requests_go_as_a_whole(location: Location, tmp_path: Path) -> None:
    for name, user in (("theirs", "12"), ("others", "1228")):
        draft = tmp_path / name
        draft.mkdir()
        write_rows(draft / "train_requests.parquet", rows_of(user))
        publish_folder(draft, location / name)
    write_document(location / "cut off" / "train_requests.parquet", b"PAR1")
    write_document(location / "recent.json", b"[]")
    assert erase_examples(location, ANN).rows == 1
    remaining = local_folder(location / "others") / "train_requests.parquet"
    assert pq.read_table(remaining)["user_id"].to_pylist() == ["1228"]
    assert not has_folder(location / "theirs")
    assert erase_examples(location / "none", ANN) == Erased()
