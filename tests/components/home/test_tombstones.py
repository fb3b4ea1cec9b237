"""Who was forgotten is known by a keyed hash; the id stands nowhere."""

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from components.contracts.errors import ConfigurationError
from components.home import tombstones
from components.home.storage.documents import read_document
from components.home.storage.locations import BucketPath
from components.home.tombstones import Tombstones, TombstoneView, add_tombstone
from tests.waiting import until

ODD = ["user 12", 'o\'hara "x"', "ä 𝄞", "a\nb", "  x "]  # none stands in the file by chance, as 12 in a time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tombstones.json"


def test_without_the_file_nobody_was_forgotten(path: Path) -> None:
    known = Tombstones(path)
    assert not known
    assert "12" not in known
    assert known.filter_forgotten(["12", None]) == []


@pytest.mark.parametrize("user_id", ODD)
def test_a_tombstone_holds_no_id_and_is_its_owners_alone(path: Path, user_id: str) -> None:
    name = add_tombstone(path, user_id)
    assert (len(name), set(json.loads(path.read_bytes())["forgotten"])) == (64, {name})
    assert json.dumps(user_id)[1:-1] not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert user_id in Tombstones(path)
    assert user_id + "8" not in Tombstones(path)


def test_a_second_burial_changes_nothing_and_a_second_user_joins(path: Path) -> None:
    name, content = add_tombstone(path, "ann"), path.read_bytes()
    assert add_tombstone(path, "ann") == name
    assert path.read_bytes() == content
    assert add_tombstone(path, "bob") != name
    assert Tombstones(path).filter_forgotten(["ann", "cid", "bob", None]) == ["ann", "bob"]


def test_two_homes_know_a_user_by_different_names(tmp_path: Path) -> None:
    assert add_tombstone(tmp_path / "one.json", "ann") != add_tombstone(tmp_path / "other.json", "ann")


def test_the_file_is_followed_when_it_is_looked_at(path: Path) -> None:
    known = Tombstones(path)
    assert not known.follow()
    add_tombstone(path, "ann")
    assert "ann" not in known
    assert known.follow()
    assert "ann" in known
    add_tombstone(path, "bob")
    assert known.follow()
    assert "bob" in known


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"[" * 99_999, b'{"key": "00", "forgotten": {}}', b'{"forgotten": {}}']
)
def test_a_broken_file_is_one_clear_error_and_is_not_overwritten(path: Path, content: bytes) -> None:
    known = Tombstones(path)
    add_tombstone(path, "ann")
    known.follow()
    path.write_bytes(content)
    os.utime(path, (1, 1))
    with pytest.raises(ConfigurationError, match=r"tombstones\.json: expected the key and hashes"):
        add_tombstone(path, "bob")
    with pytest.raises(ConfigurationError):
        known.follow()
    assert "ann" in known
    assert path.read_bytes() == content


def refuse_to_look(path: Path, number: int, patch: pytest.MonkeyPatch) -> None:
    """Let every look at a file end with an error of the system."""
    stat = os.stat

    def refused(looked_at: Any, **how: Any) -> os.stat_result:
        if looked_at == path:
            raise OSError(number, os.strerror(number), str(path))
        return stat(looked_at, **how)

    patch.setattr(os, "stat", refused)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES, errno.ENOTDIR])
def test_a_file_that_cannot_be_looked_at_is_one_clear_error(
    path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tombstone(path, "ann")
    known = Tombstones(path)
    with monkeypatch.context() as patch:
        refuse_to_look(path, number, patch)
        with pytest.raises(
            ConfigurationError, match=rf"tombstones\.json: cannot be looked at \({os.strerror(number)}\)"
        ):
            known.follow()
        with pytest.raises(ConfigurationError):
            Tombstones(path)
    assert "ann" in known
    assert not known.follow()


def test_a_folder_that_is_none_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be looked at"):
        Tombstones(tmp_path / "home" / "tombstones.json")


def test_a_file_that_is_gone_is_an_error_to_who_knew_it_and_to_nobody_else(path: Path) -> None:
    add_tombstone(path, "ann")
    known = Tombstones(path)
    aside = path.rename(path.with_name("aside"))
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"tombstones\.json: is gone; bring the file back"):
            known.follow()
    assert "ann" in known
    assert known.stamp is not None
    assert not Tombstones(path)

    aside.rename(path)
    assert not known.follow()
    add_tombstone(path, "bob")
    assert known.follow()
    assert known.filter_forgotten(["ann", "bob"]) == ["ann", "bob"]


def test_a_file_that_goes_between_the_look_and_the_read_was_not_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tombstones, "tombstones_stamp", lambda _: (1, 1))
    known = Tombstones(path)
    assert (known.stamp, bool(known)) == (None, False)


def test_a_file_that_cannot_be_reached_does_not_say_that_nobody_was_forgotten(path: Path) -> None:
    path.symlink_to("not mounted")
    with pytest.raises(ConfigurationError, match="cannot be looked at"):
        Tombstones(path)


def test_tombstones_of_a_bucket_are_added_by_compare_and_swap_and_followed(bucket: BucketPath) -> None:
    document = bucket / "tombstones.json"
    view = TombstoneView(document)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda user: add_tombstone(document, user), ("ann", "bob", "cid", "ann")))
    known = Tombstones(document)
    assert known.filter_forgotten(["ann", "bob", "cid", "dan"]) == ["ann", "bob", "cid"]
    assert not known.follow()
    assert add_tombstone(document, "ann") == add_tombstone(document, "ann")
    assert b"ann" not in (read_document(document) or b"")
    until(lambda: view.follow() == known.stamp)
    assert "bob" in view
