"""A store that fails halfway: one clear error or none, and nothing is lost. The server is real; its answers are not."""

import subprocess
import sys
import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import obstore
import pyarrow as pa
import pytest

from components.contracts.errors import RankloopError, SourceError, StorageError
from components.home.disk.presence import files_below
from components.home.storage import bucket as bucket_module
from components.home.storage import lease as lease_module
from components.home.storage.bucket import store_of
from components.home.storage.cache import object_cache
from components.home.storage.documents import (
    create_document,
    put_tagged,
    read_document,
    read_tagged,
    update_document,
    write_document,
)
from components.home.storage.lease import lease_holder, take_lease
from components.home.storage.locations import BucketPath
from components.home.storage.objects import fetch_file, fetch_named, publish_file, publish_folder
from components.home.storage.proof import prove_store
from components.lake.tables import append_rows, open_table, read_notes
from tests.faulty_s3 import Exchange, FaultySeries, cut_short, failing, faulty_s3, without_conditions
from tests.servers import S3Server

ROWS = pa.table({"n": [1]})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask once more at most: the bounds are the client's, their lengths are not what is tested."""
    monkeypatch.setattr(bucket_module, "MAX_RETRIES", 1)


def test_a_cache_that_is_full_or_cannot_be_written_is_said_and_works_again(bucket: BucketPath, tmp_path: Path) -> None:
    write_document(bucket / "object", bytes(200_000))
    (tmp_path / "draft").mkdir()
    (tmp_path / "draft" / "file").write_bytes(bytes(150_000))
    publish_folder(tmp_path / "draft", bucket / "folder")
    script = [
        "unshare",
        "--map-root-user",
        "--mount",
        sys.executable,
        "-m",
        "tests.components.home.storage.small_cache",
    ]
    words = [*script, str(tmp_path / "disk"), str(bucket / "object"), str(bucket / "folder")]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    place, advice = f"cache {tmp_path}/disk/cache", "free space there, or set RANKLOOP_CACHE to another folder"
    full, read_only = (f"{place}: {why}; {advice}" for why in ("is full", "cannot be written (Read-only file system)"))
    assert ended.stdout.splitlines() == [full, full, read_only, read_only, "200000", "150000"], ended.stderr


@pytest.mark.parametrize("read", [read_document, fetch_file, fetch_named])
def test_an_object_that_is_cut_short_on_its_way_is_not_taken_for_the_whole(
    read: "object", bucket: BucketPath, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(read)
    draft = tmp_path / "draft"
    draft.write_bytes(b"content" * 1000)
    publish_file(draft, bucket / "object")
    fetch_file(bucket / "object").unlink()
    with faulty_s3(s3.endpoint, answer=cut_short), pytest.raises(StorageError, match="cannot be used"):
        read(bucket / "object")
    assert list(files_below(object_cache().folder)) == []
    content = read(bucket / "object")
    assert (content.read_bytes() if isinstance(content, Path) else content) == b"content" * 1000


def test_throttling_that_passes_is_not_noticed(
    bucket: BucketPath, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = FaultySeries(failing(503, "SlowDown"), 1)
    with faulty_s3(s3.endpoint, request=series):
        assert create_document(bucket / "document", b"1")
        assert update_document(bucket / "document", lambda content: (content or b"") + b"2") == b"12"
    assert series.seen == ["PUT", "PUT", "GET", "PUT"]


def test_a_write_whose_answer_is_lost_is_done_once(
    bucket: BucketPath, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = FaultySeries(failing(503, "SlowDown"), 0)

    def lose(answer: Exchange) -> Exchange:
        return series(answer) if answer.method == "PUT" else answer

    with faulty_s3(s3.endpoint, answer=lose):
        series.left = 1
        assert create_document(bucket / "document", b"1")
        assert not create_document(bucket / "document", b"1")
        tagged = read_tagged(bucket / "document")
        assert tagged is not None
        series.left = 1
        assert put_tagged(bucket / "document", b"12", tagged.tag)
        assert not put_tagged(bucket / "document", b"12", tagged.tag)
        series.left = 1
        lease = take_lease(bucket / "lock", "run-1")
        series.left = 1
        lease.renew()
    assert (read_document(bucket / "document"), lease_holder(bucket / "lock")) == (b"12", lease.document)


@pytest.mark.parametrize("is_followed", [False, True])
def test_a_change_whose_answer_is_lost_is_made_once_even_if_others_follow_it(
    bucket: BucketPath, s3: S3Server, monkeypatch: pytest.MonkeyPatch, is_followed: bool
) -> None:
    def add(letter: bytes) -> None:
        update_document(bucket / "document", lambda content: (content or b"") + letter)

    def lost(answer: Exchange) -> Exchange:
        if is_followed:
            with monkeypatch.context() as patch:
                patch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
                add(b"b")
        return failing(503, "SlowDown")(answer)

    series = FaultySeries(lost, 1)
    with faulty_s3(s3.endpoint, answer=lambda answer: series(answer) if answer.method == "PUT" else answer):
        add(b"a")
    assert read_document(bucket / "document") == (b"ab" if is_followed else b"a")


def test_a_commit_whose_answer_is_lost_is_made_once(bucket: BucketPath, s3: S3Server) -> None:
    before = append_rows(bucket / "table", ROWS, {})
    series = FaultySeries(failing(503, "SlowDown"), 1)

    def lose(answer: Exchange) -> Exchange:
        return series(answer) if answer.method == "PUT" and "/_delta_log/" in answer.path else answer

    with faulty_s3(s3.endpoint, answer=lose):
        assert append_rows(bucket / "table", ROWS, {"offset": 7}) == before + 1
    assert series.left < 0, "the commit was asked for again"
    assert (rows_of(bucket / "table"), read_notes(bucket / "table")) == ([1, 1], {"offset": 7})


def test_a_store_that_is_full_loses_nothing(bucket: BucketPath, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    write_document(bucket / "document", b"1")
    before = append_rows(bucket / "table", ROWS, {})
    full = failing(507, "QuotaExceeded")
    with faulty_s3(s3.endpoint, request=lambda request: full(request) if request.method == "PUT" else request):
        with pytest.raises(StorageError, match="the store is full"):
            update_document(bucket / "document", lambda content: b"2")
        with pytest.raises(SourceError, match="a full store are the usual reasons, and the table is as it was"):
            append_rows(bucket / "table", ROWS, {})
    assert read_document(bucket / "document") == b"1"
    assert append_rows(bucket / "table", ROWS, {}) == before + 1
    assert rows_of(bucket / "table") == [1, 1]


def rows_of(table: BucketPath) -> object:
    opened = open_table(table)
    assert opened is not None
    return opened.to_pyarrow_table()["n"].to_pylist()


@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_lease_goes_by_no_clock_of_its_writers(
    minutes: int, bucket: BucketPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WrongClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(minutes=minutes)

    lease = take_lease(bucket / "lock", "run-1", seconds=60)
    monkeypatch.setattr(lease_module, "datetime", WrongClock)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 60 * minutes)
    with pytest.raises(RankloopError, match="run run-1 is at work in it"):
        take_lease(bucket / "lock", "run-2", seconds=60)
    assert lease_holder(bucket / "lock") == lease.document
    lease.check()


def test_a_store_that_forgets_conditions_is_found(
    bucket: BucketPath, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    with faulty_s3(s3.endpoint, request=without_conditions):
        round_trip, creation, swaps = prove_store(bucket, rounds=2, writers=3)
    assert round_trip.broken is None
    assert creation.seen == "2 of 2 rounds had more than one winner, or none"
    assert "use a server whose conditional puts are atomic" in (creation.broken or "")
    assert "steps were taken, the counter stands at" in swaps.seen
    assert [each for batch in obstore.list(store_of(bucket), bucket.key) for each in batch] == []
