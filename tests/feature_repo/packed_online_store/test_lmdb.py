"""What the embedded backend has to bear: a full map, forks, threads, folders it may not write."""

import multiprocessing
import os
import threading
from pathlib import Path

import pytest

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.backends.lmdb_backend import LmdbBackend

SMALL_MAP = 64 * 1024
LARGE = os.urandom(300_000)


def small_store(folder: Path) -> LmdbBackend:
    return LmdbBackend(f"lmdb://{folder / 'online'}?map_size={SMALL_MAP}")


def put_and_read(folder: str, key: bytes, value: bytes) -> None:
    backend = small_store(Path(folder))
    backend.put(key, value)
    assert backend.read([key]) == [value]


def test_nothing_is_opened_before_it_is_used(tmp_path: Path) -> None:
    backend = small_store(tmp_path)
    assert not (tmp_path / "online").exists()
    assert backend.read([b"a"]) == [None]
    assert (tmp_path / "online").exists()


def test_a_full_map_grows(tmp_path: Path) -> None:
    backend = small_store(tmp_path)
    for number in range(5):
        backend.put(b"%d" % number, LARGE)
    assert backend.read([b"0", b"4"]) == [LARGE, LARGE]
    assert backend.delete_prefix(b"") == 5


def test_a_map_that_another_process_has_grown_is_taken_over(tmp_path: Path) -> None:
    backend = small_store(tmp_path)
    backend.put(b"mine", b"1")
    process = multiprocessing.get_context("spawn").Process(target=put_and_read, args=(str(tmp_path), b"theirs", LARGE))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert backend.read([b"mine", b"theirs"]) == [b"1", LARGE]
    backend.put(b"mine", b"2")
    assert backend.read([b"mine"]) == [b"2"]


def test_two_backends_of_one_folder_share_it(tmp_path: Path) -> None:
    first, second = small_store(tmp_path), LmdbBackend(f"lmdb://{tmp_path}/./online")
    first.put(b"a", b"1")
    assert second.read([b"a"]) == [b"1"]
    first.close()
    assert second.read([b"a"]) == [b"1"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # 3.12 warns of what is tested here
def test_a_forked_process_opens_its_own(tmp_path: Path) -> None:
    backend = small_store(tmp_path)
    backend.put(b"a", b"1")
    process = multiprocessing.get_context("fork").Process(target=put_and_read, args=(str(tmp_path), b"b", LARGE))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert backend.read([b"a", b"b"]) == [b"1", LARGE]


def test_threads_read_while_the_map_grows(tmp_path: Path) -> None:
    backend = small_store(tmp_path)
    backend.put(b"a", b"1")
    wrong: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.wait(0.001):
            values = backend.read([b"a"])
            if values != [b"1"]:
                wrong.append(values)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(8):
        backend.put(b"large%d" % number, LARGE)
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "online").write_text("a file, not a folder")
    with pytest.raises(StoreError, match=r"File exists.*; expected a folder on a local disk that this user may write"):
        small_store(tmp_path).read([b"a"])
