"""A user is erased from every snapshot that holds them, in every set."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from components.features.snapshots.erasure import erase_examples, erase_snapshots
from components.features.snapshots.pool import POOL, pool_names, prune_pool, write_rows
from components.features.snapshots.sets import prune_sets, read_set
from components.home.data_subject import DataSubject, Erased
from components.home.storage.documents import write_document
from components.home.storage.locations import Location
from components.home.storage.objects import has_folder, local_folder, publish_folder
from tests.components.features.snapshots.feature_sets import MONDAY, TUESDAY, VIEW, a_set, rows_of, snapshot

ANN = DataSubject("12")


def test_every_set_names_a_file_without_the_user(location: Location) -> None:
    days = {MONDAY: snapshot(location, "a-1", "1228", "12", "2"), TUESDAY: snapshot(location, "b-1", "1228")}
    sets = [a_set(location, ttl_days, days) for ttl_days in (1, 2)]

    assert erase_snapshots(location, ANN) == Erased(rows=1, files=1, searched=2)

    for before in sets:
        after = read_set(location, before.digest)
        assert after.ids(VIEW, MONDAY).to_pylist() == ["1228", "2"]
        assert after.files[VIEW, TUESDAY] == before.files[VIEW, TUESDAY]
    assert days[MONDAY].name not in pool_names(location / POOL)
    assert prune_pool(location / POOL, keep=prune_sets(location)) == 0
    assert erase_snapshots(location, ANN) == Erased(searched=2)


@pytest.mark.parametrize("step", ["_replace_in_manifests", "remove_document"])
def test_a_try_that_was_cut_off_is_finished(location: Location, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    before = a_set(location, 1, {MONDAY: snapshot(location, "a-1", "12", "2")})
    snapshot(location, ".a.parquet.77", "12")

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"components.features.snapshots.erasure.{step}", cut_off)
        with pytest.raises(KeyboardInterrupt):
            erase_snapshots(location, ANN)

    erase_snapshots(location, ANN)

    assert read_set(location, before.digest).ids(VIEW, MONDAY).to_pylist() == ["2"]
    assert len(list(pool_names(location / POOL))) == 1


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
