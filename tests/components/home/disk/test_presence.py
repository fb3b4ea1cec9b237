"""Nothing that keeps one from looking is taken for there being nothing."""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.home.disk.presence import content_of, files_below, names_in, status_of

LOOKS: list[Callable[[Path], object]] = [status_of, content_of]


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Let this process open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    next_one = os.dup(0)
    os.close(next_one)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_one, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_is_nothing(tmp_path: Path, look: Callable[[Path], object]) -> None:
    assert look(tmp_path / "file") is None
    assert look(tmp_path / "folder" / "file") is None
    with no_descriptors():
        assert look(tmp_path / "file") is None, "looking for what is not there needs no descriptor"


@pytest.mark.parametrize("look", [*LOOKS, names_in])
def test_what_cannot_be_reached_is_not_nothing(tmp_path: Path, look: Callable[[Path], object]) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "not mounted")
    (tmp_path / "file").touch()
    for path in (tmp_path / "link", tmp_path / "link" / "inner", tmp_path / "file" / "inner"):
        with pytest.raises(OSError, match=path.name):
            look(path)


def test_a_file_that_cannot_be_read_is_not_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with pytest.raises(IsADirectoryError):
        content_of(tmp_path)
    with no_descriptors(), pytest.raises(OSError, match="Too many open files"):
        content_of(tmp_path / "file")
    assert content_of(tmp_path / "file") == b"content"


def test_a_folder_that_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "b").touch()
    (tmp_path / "a").touch()
    (tmp_path / "c").symlink_to("folder")
    with no_descriptors():
        for look in (names_in, lambda path: list(files_below(path))):
            with pytest.raises(OSError, match="Too many open files"):
                look(tmp_path)
    assert names_in(tmp_path / "none") == []
    assert names_in(tmp_path) == ["a", "c", "folder"]
    assert [str(path.relative_to(tmp_path)) for path in files_below(tmp_path)] == ["a", "c", "folder/b"]
