"""A lock on a file keeps others out for as long as somebody holds its descriptor."""

import os
from pathlib import Path

import pytest

from components.home.disk.file_lock import FileLock, create_locked


@pytest.fixture(params=["a file of its own", "a folder"])
def lock(tmp_path: Path, request: pytest.FixtureRequest) -> FileLock:
    return FileLock(tmp_path if request.param == "a folder" else tmp_path / "below" / "lock")


def test_one_holder_at_a_time(lock: FileLock) -> None:
    with lock.held():
        assert lock.is_held()
        with lock.tried() as second:
            assert second is None
    assert not lock.is_held()
    with lock.tried() as first:
        assert first is not None
        assert lock.is_held()


def test_a_lock_lasts_as_long_as_a_copy_of_its_descriptor(lock: FileLock) -> None:
    with lock.held() as descriptor:
        inherited = os.dup(descriptor)
    assert lock.is_held()
    os.close(inherited)
    assert not lock.is_held()


def test_a_file_is_locked_from_its_first_moment_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "note"
    descriptor = create_locked(path, 0o640)
    os.write(descriptor, b"content")
    assert (FileLock(path).is_held(), os.listdir(tmp_path)) == (True, ["note"])
    os.close(descriptor)
    assert (FileLock(path).is_held(), path.read_bytes(), path.stat().st_mode & 0o777) == (False, b"content", 0o640)


def test_a_file_that_is_not_there_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileLock(tmp_path / "lock").is_held()
