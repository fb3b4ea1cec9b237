"""A scrubbed LMDB file holds nothing of what was deleted, and processes that have it open continue."""

import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path

import lmdb
import pytest

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.backends import lmdb_compaction
from feature_repo.packed_online_store.backends.backend import RowBatch
from feature_repo.packed_online_store.backends.lmdb_backend import LmdbBackend
from feature_repo.packed_online_store.backends.lmdb_compaction import holds_entity
from feature_repo.packed_online_store.backends.lmdb_integrity import look_into

SECRET = b"what was known of ann " * 8
LONG_SECRET = SECRET * 100  # lies on pages of its own
spawning = multiprocessing.get_context("spawn")


def store(folder: Path | str) -> LmdbBackend:
    return LmdbBackend(f"lmdb://{folder}/online?map_size={1 << 20}")


def content(folder: Path) -> bytes:
    return (folder / "online" / "data.mdb").read_bytes()


@pytest.mark.parametrize("secret", [SECRET, LONG_SECRET])
def test_nothing_is_left_of_rows_that_were_deleted_or_overwritten(tmp_path: Path, secret: bytes) -> None:
    backend = store(tmp_path)
    for number in range(200):
        backend.put(b"row:%03d" % number, os.urandom(300))
    backend.put(b"row:ann", secret + b"older")
    backend.put(b"row:ann", secret + b"newer")
    others = backend.read([b"row:%03d" % number for number in range(200)])
    assert backend.delete([b"row:ann"]) == 1
    assert secret[:40] in content(tmp_path)  # LMDB frees pages as they are
    backend.scrub()
    assert b"row:ann" not in content(tmp_path)
    assert secret[:40] not in content(tmp_path)
    assert backend.read([b"row:%03d" % number for number in range(200)]) == others
    assert [path.name for path in sorted((tmp_path / "online").iterdir())] == ["data.mdb", "lock.mdb"]


@pytest.mark.parametrize("gone", range(0, 3000, 97))
def test_a_key_that_pages_go_by_is_named_no_more(tmp_path: Path, gone: int) -> None:
    backend = store(tmp_path)
    keys = [b"rl1/shop/users/r1:su%d" % number for number in range(3000)]
    backend.write_newer(b"mark", [RowBatch(keys, [bytes(24)] * 3000)], bytes(16), bytes(16))
    folder, entity = str(tmp_path / "online"), b"su%d" % gone
    backend.delete([keys[gone]])
    assert holds_entity(folder, entity)
    backend.scrub()
    assert not holds_entity(folder, entity)
    assert holds_entity(folder, b"su%d" % (gone + 1))
    assert len(backend.keys(b"rl1/")) == 2999


@pytest.mark.parametrize("writes", range(4))
def test_a_copy_counts_on_whatever_the_parity_and_opens_afresh(tmp_path: Path, writes: int) -> None:
    backend = store(tmp_path)
    backend.delete([b"nothing"])
    for number in range(writes):
        backend.put(b"%d" % number, b"value")
    for _ in range(3):
        backend.scrub()
        assert backend.keys(b"") == [b"%d" % number for number in range(writes)]
    backend.put(b"last", b"value")
    backend.close()
    (tmp_path / "online" / "lock.mdb").unlink()  # as after a restart of the machine
    assert len(backend.keys(b"")) == writes + 1


def write_and_read(folder: str, parent: Connection) -> None:
    """Write numbers one by one, each checked against the one before, until asked to stop; send the number."""
    backend, number = store(folder), 0
    while not parent.poll():
        backend.put(b"n%06d" % number, b"%d" % number)
        assert backend.read([b"n%06d" % number]) == [b"%d" % number]
        number += 1
        if number == 1:
            parent.send("began")
    parent.send(number)


def test_a_process_that_has_it_open_loses_nothing_while_it_is_scrubbed(tmp_path: Path) -> None:
    backend = store(tmp_path)
    backend.put(b"ann", SECRET)
    here, there = spawning.Pipe()
    process = spawning.Process(target=write_and_read, args=(str(tmp_path), there))
    process.start()
    there.close()  # so that a process that ends early is an error here, not a wait
    assert here.recv() == "began"
    backend.delete([b"ann"])
    for _ in range(30):
        backend.scrub()
        backend.put(b"mine", b"1")
    here.send("stop")
    written = here.recv()
    process.join()
    assert process.exitcode == 0
    assert backend.keys(b"n") == [b"n%06d" % number for number in range(written)]
    assert SECRET not in content(tmp_path)


def test_a_copy_that_lacks_something_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = store(tmp_path)
    backend.put(b"ann", SECRET)
    before = content(tmp_path)

    def write_nothing(environment: "lmdb.Environment", reading: "lmdb.Transaction", draft: Path) -> None:
        lmdb.open(str(draft), subdir=False, lock=False).close()

    monkeypatch.setattr(lmdb_compaction, "_write_rows", write_nothing)
    with pytest.raises(StoreError, match="a new file holds 0 rows of transaction 1, expected 1 of 1"):
        backend.scrub()
    assert content(tmp_path) == before
    assert backend.read([b"ann"]) == [SECRET]


def test_a_look_into_a_file_that_is_written_meanwhile_finds_it_whole(tmp_path: Path) -> None:
    here, there = spawning.Pipe()
    process = spawning.Process(target=write_and_read, args=(str(tmp_path), there))
    process.start()
    there.close()
    assert here.recv() == "began"
    for _ in range(10):
        look_into(str(tmp_path / "online"), lmdb_compaction.DATA, 100)
    here.send("stop")
    assert here.recv() > 0
    process.join()
    assert process.exitcode == 0
