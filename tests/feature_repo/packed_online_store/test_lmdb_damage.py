"""Damaged LMDB files are errors, never signals: before they are opened and while they are."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from components.contracts.errors import DamagedStoreError
from feature_repo.packed_online_store.backends.lmdb_backend import LmdbBackend

KEYS = [b"%04d" % number for number in range(400)]
READ = """
import sys
from components.contracts.errors import StoreError
from feature_repo.packed_online_store.backends.lmdb_backend import LmdbBackend
backend = LmdbBackend(sys.argv[1])
try:
    print(sum(row is not None for row in backend.read([b"%04d" % number for number in range(400)])))
except StoreError as error:
    print(type(error).__name__)
"""


def cut(file: Path, share: float) -> None:
    os.truncate(file, int(file.stat().st_size * share))


def overwrite(file: Path, first_page: int, content: int) -> None:
    """Overwrite all pages from one on, keeping the file's length."""
    with file.open("r+b") as opened:
        opened.seek(first_page * 4096)
        opened.write(bytes([content]) * (file.stat().st_size - first_page * 4096))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "half": lambda file: cut(file, 0.5),
    "a few bytes": lambda file: os.truncate(file, 100),
    "one page": lambda file: os.truncate(file, 4096),
    "all zero": lambda file: overwrite(file, 0, 0),
    "zero behind the meta pages": lambda file: overwrite(file, 2, 0),
    "ones behind the meta pages": lambda file: overwrite(file, 2, 255),
    "text": lambda file: file.write_bytes(b"no database\n" * 1000) and None,
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of rows in its own pages and in overflow pages."""
    backend = LmdbBackend(f"lmdb://{tmp_path}")
    for key in KEYS:
        backend.put(key, key * 300)
    backend.close()
    return tmp_path


def read_elsewhere(folder: Path) -> str:
    words = [sys.executable, "-c", READ, f"lmdb://{folder}"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_an_error_before_it_is_mapped(store: Path, damage: str) -> None:
    DAMAGES[damage](store / "data.mdb")
    assert read_elsewhere(store) == "DamagedStoreError"


def test_a_whole_file_is_read_and_an_empty_one_starts_empty(store: Path) -> None:
    assert read_elsewhere(store) == str(len(KEYS))
    os.truncate(store / "data.mdb", 0)
    assert read_elsewhere(store) == "0"


@pytest.mark.parametrize("damage", ["half", "a few bytes", "all zero"])
def test_a_file_that_is_damaged_while_it_is_open_is_an_error_until_it_is_replaced(store: Path, damage: str) -> None:
    backend = LmdbBackend(f"lmdb://{store}")
    assert backend.read(KEYS[:1]) == [KEYS[0] * 300]
    DAMAGES[damage](store / "data.mdb")
    for _ in range(2):
        with pytest.raises(DamagedStoreError, match=r"while it was open\); expected .*: `rankloop run` replaces it"):
            backend.read(KEYS)
    with pytest.raises(DamagedStoreError):
        backend.put(b"new", b"1")
    backend.discard_damaged()
    backend.put(b"new", b"1")
    assert backend.read([b"new", KEYS[0]]) == [b"1", None]


def test_a_lock_file_that_is_cut_while_it_is_open_is_an_error_until_it_is_replaced(store: Path) -> None:
    backend = LmdbBackend(f"lmdb://{store}")
    backend.read(KEYS[:1])
    os.truncate(store / "lock.mdb", 0)
    with pytest.raises(DamagedStoreError):
        backend.read(KEYS)
    backend.discard_damaged()
    assert read_elsewhere(store) == "0"
