import hashlib
import os
import time
from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError, DamagedObjectError, HomeBusyError, StorageError
from components.home.storage.cache import ObjectCache, object_cache
from components.home.storage.documents import has_document, names_below, remove_document, write_document
from components.home.storage.lease import take_lease
from components.home.storage.locations import BucketPath
from components.home.storage.objects import (
    LISTING,
    fetch_file,
    folders_in,
    has_folder,
    local_folder,
    publish_file,
    publish_folder,
    remove_folder,
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RANKLOOP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def draft(folder: Path, content: bytes = b"content") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "draft"
    path.write_bytes(content)
    return path


def test_a_file_of_a_folder_home_is_used_where_it_lies(tmp_path: Path, cache: Path) -> None:
    target = tmp_path / "home" / "pool" / "1"
    publish_file(draft(tmp_path), target)
    assert (fetch_file(target), target.read_bytes(), cache.exists()) == (target, b"content", False)
    with pytest.raises(FileNotFoundError):
        fetch_file(target.with_name("2"))


def test_an_object_is_created_once_and_fetched_once(tmp_path: Path, bucket: BucketPath) -> None:
    publish_file(draft(tmp_path), bucket / "1")
    publish_file(draft(tmp_path, b"other"), bucket / "1")
    first = fetch_file(bucket / "1")
    assert first.read_bytes() == b"content"
    remove_document(bucket / "1")
    assert fetch_file(bucket / "1", first.name) == first
    with pytest.raises(FileNotFoundError):
        fetch_file(bucket / "1")


@pytest.mark.parametrize("damage", [b"", b"cont", b"CONTENT"])
def test_a_damaged_file_of_the_cache_is_fetched_again(damage: bytes, tmp_path: Path, bucket: BucketPath) -> None:
    publish_file(draft(tmp_path), bucket / "1")
    path = fetch_file(bucket / "1")
    path.unlink()
    path.write_bytes(damage)
    os.utime(path, (1, 1))  # a new file may have the number of the one before, and its time in a coarse clock
    assert fetch_file(bucket / "1").read_bytes() == b"content"


def test_an_object_that_changed_on_its_way_is_refused(tmp_path: Path, bucket: BucketPath) -> None:
    publish_file(draft(tmp_path), bucket / "1")
    digest = fetch_file(bucket / "1").name
    fetch_file(bucket / "1").unlink()
    write_document(bucket / "1", b"cont")
    with pytest.raises(StorageError, match="damaged on its way or in the bucket"):
        fetch_file(bucket / "1", digest)
    with pytest.raises(StorageError, match="carries no digest"):
        fetch_file(bucket / "1")


def test_a_folder_is_there_once_it_is_whole(tmp_path: Path, bucket: BucketPath) -> None:
    source = tmp_path / "bundle"
    (source / "parts").mkdir(parents=True)
    (source / "model").write_bytes(b"1")
    (source / "parts" / "empty").write_bytes(b"")
    publish_folder(source, bucket / "b")
    publish_file(draft(tmp_path), bucket / "beside")
    local = local_folder(bucket / "b")
    assert ((local / "model").read_bytes(), (local / "parts" / "empty").read_bytes()) == (b"1", b"")
    assert (has_folder(bucket / "b"), folders_in(bucket), source.exists()) == (True, ["b"], False)
    remove_document(bucket / "b" / LISTING)
    assert (has_folder(bucket / "b"), folders_in(bucket)) == (False, [])
    with pytest.raises(DamagedObjectError, match="found no whole folder there"):
        local_folder(bucket / "b")


def test_a_folder_with_a_lost_object_is_said(tmp_path: Path, bucket: BucketPath) -> None:
    publish_folder(draft(tmp_path / "bundle").parent, bucket / "b")
    remove_document(bucket / "b" / "draft")
    with pytest.raises(DamagedObjectError, match=r"b/draft: it is gone; `rankloop run` makes it again"):
        local_folder(bucket / "b")


def test_a_removed_folder_leaves_nothing(tmp_path: Path, bucket: BucketPath) -> None:
    source = tmp_path / "bundle"
    publish_folder(draft(source).parent, bucket / "b")
    publish_file(draft(tmp_path), bucket / "bb")
    remove_folder(bucket / "b")
    assert list(names_below(bucket)) == ["bb"]
    assert fetch_file(bucket / "bb").read_bytes() == b"content"


def test_a_run_that_lost_its_lease_creates_and_removes_nothing(
    tmp_path: Path, bucket: BucketPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_folder(draft(tmp_path / "bundle").parent, bucket / "b")
    lost = take_lease(bucket / "lease.json", "run-1", seconds=60)
    remove_document(bucket / "lease.json")
    take_lease(bucket / "lease.json", "run-2")
    clock_gettime = time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda clock: clock_gettime(clock) + 60)
    late = draft(tmp_path)
    with lost.kept_alive():
        with pytest.raises(HomeBusyError, match="run run-1 has lost its lease"):
            remove_folder(bucket / "b")
        with pytest.raises(HomeBusyError, match="run run-1 has lost its lease"):
            publish_file(late, bucket / "late")
    assert (has_folder(bucket / "b"), has_document(bucket / "late")) == (True, False)


def test_the_cache_lets_go_of_what_was_not_used_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.home.storage.cache.IN_USE_SECONDS", -1)
    cache = ObjectCache(tmp_path / "c", max_bytes=2)
    files = [cache.file(digest, lambda path, byte=byte: path.write_bytes(byte)) for byte, digest in BYTES.items()]
    assert [path.exists() for path in files] == [False, True, True]


def test_a_cache_keeps_what_was_asked_for_lately_beyond_its_bound(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path / "c", max_bytes=0)
    files = [cache.file(digest, lambda path, byte=byte: path.write_bytes(byte)) for byte, digest in BYTES.items()]
    assert all(path.exists() for path in files)


def test_a_cache_that_cannot_hold_a_folder_is_said(
    tmp_path: Path, bucket: BucketPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_folder(draft(tmp_path / "bundle").parent, bucket / "b")
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("RANKLOOP_CACHE", str(tmp_path / "file"))
    with pytest.raises(StorageError, match=r"cache .*/file: cannot be written .*set RANKLOOP_CACHE"):
        local_folder(bucket / "b")


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("RANKLOOP_CACHE", str(tmp_path / "file"))
    with pytest.raises(StorageError, match=r"cache .*/file: cannot be written .*set RANKLOOP_CACHE"):
        object_cache().file("0" * 64, lambda path: None)
    monkeypatch.setenv("RANKLOOP_CACHE_BYTES", "20 GB")
    with pytest.raises(ConfigurationError, match="RANKLOOP_CACHE_BYTES: found '20 GB', expected a number of bytes"):
        object_cache()


BYTES = {
    b"a": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    b"b": "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d",
    b"c": "2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6",
}


def test_an_object_that_another_program_copied_is_known_by_its_content(bucket: BucketPath, tmp_path: Path) -> None:
    write_document(bucket / "1", b"copied")
    assert publish_file(draft(tmp_path), bucket / "1") == hashlib.sha256(b"copied").hexdigest()
