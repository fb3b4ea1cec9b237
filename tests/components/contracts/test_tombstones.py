"""Who was forgotten is known by a keyed hash; the id stands nowhere."""

import json
import os
from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.contracts.tombstones import Tombstones, bury

ODD = ["user 12", 'o\'hara "x"', "ä 𝄞", "a\nb", "  x "]  # none stands in the file by chance, as 12 in a time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tombstones.json"


def test_without_the_file_nobody_was_forgotten(path: Path) -> None:
    known = Tombstones(path)
    assert not known
    assert not known.is_forgotten("12")
    assert known.among(["12", None]) == []


@pytest.mark.parametrize("user_id", ODD)
def test_a_tombstone_holds_no_id_and_is_its_owners_alone(path: Path, user_id: str) -> None:
    name = bury(path, user_id)
    assert (len(name), set(json.loads(path.read_bytes())["forgotten"])) == (64, {name})
    assert json.dumps(user_id)[1:-1] not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert user_id in Tombstones(path)
    assert user_id + "8" not in Tombstones(path)


def test_a_second_burial_changes_nothing_and_a_second_user_joins(path: Path) -> None:
    name, content = bury(path, "ann"), path.read_bytes()
    assert bury(path, "ann") == name
    assert path.read_bytes() == content
    assert bury(path, "bob") != name
    assert Tombstones(path).among(["ann", "cid", "bob", None]) == ["ann", "bob"]


def test_two_homes_know_a_user_by_different_names(tmp_path: Path) -> None:
    assert bury(tmp_path / "one.json", "ann") != bury(tmp_path / "other.json", "ann")


def test_a_process_follows_the_file_at_the_next_question(path: Path) -> None:
    known = Tombstones(path)
    assert not known.follow()
    bury(path, "ann")
    assert "ann" not in known
    assert known.is_forgotten("ann")
    bury(path, "bob")
    assert known.follow()
    assert "bob" in known


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"key": "00", "forgotten": {}}', b'{"forgotten": {}}'])
def test_a_broken_file_is_one_clear_error_and_is_not_overwritten(path: Path, content: bytes) -> None:
    known = Tombstones(path)
    bury(path, "ann")
    known.follow()
    path.write_bytes(content)
    os.utime(path, (1, 1))
    with pytest.raises(ConfigurationError, match=r"tombstones\.json: expected the key and hashes"):
        bury(path, "bob")
    with pytest.raises(ConfigurationError):
        known.is_forgotten("ann")
    assert "ann" in known
    assert path.read_bytes() == content
