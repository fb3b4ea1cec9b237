"""A shop whose credentials are limited as the documents say, in a bucket and a Redis that it shares with another.

What such a shop can do by itself is tested by ``test_bucket_home`` (a run, lists, erasure) and
``test_serving_a_bucket``, whose homes have these credentials. Here it tries the other's.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import redis

from components.contracts.errors import ConfigurationError, StoreError
from components.home.storage.documents import (
    create_document,
    has_document,
    list_names,
    names_below,
    read_document,
    remove_document,
    remove_documents,
    write_document,
)
from components.home.storage.locations import BucketPath
from components.home.storage.objects import fetch_file, publish_file
from components.home.storage.proof import prove_store
from components.lake.tables import open_table
from feature_repo.packed_online_store.backends.backend import RowBatch
from feature_repo.packed_online_store.backends.redis_backend import RedisBackend
from feature_repo.packed_online_store.keys import Namespace, clock_key
from pipelines.cli import main
from tests.acceptance import online_store
from tests.online_content import online_content
from tests.servers import redis_server
from tests.shop_rights import redis_url_of, s3_variables

OURS, OTHERS = BucketPath("ready", "shop-a/home"), BucketPath("ready", "shop-b/home")
ROW, MARK = b"rl1/rankloop/users/r1:sann", b"rl1-mark/rankloop/users/r1"
STAMP = bytes(16)


@pytest.fixture
def others_document(bucket: BucketPath, monkeypatch: pytest.MonkeyPatch) -> BucketPath:
    """Leave a document in the other shop's home, and go on with our own credentials."""
    document = OTHERS / "shop.json"
    write_document(document, b"theirs")
    for name, value in s3_variables("shop-a").items():
        monkeypatch.setenv(name, value)
    return document


def _publish(document: BucketPath, folder: Path) -> None:
    draft = folder / "draft"
    draft.write_bytes(b"ours")
    publish_file(draft, document)


ATTEMPTS: dict[str, Callable[[BucketPath, Path], object]] = {
    "read": lambda document, _: read_document(document),
    "ask for": lambda document, _: has_document(document),
    "fetch": lambda document, _: fetch_file(document),
    "list": lambda document, _: list_names(document.parent),
    "list all below": lambda document, _: list(names_below(document.parent)),
    "list the bucket": lambda document, _: list(names_below(BucketPath(document.bucket))),
    "write": lambda document, _: write_document(document, b"ours"),
    "create": lambda document, _: create_document(document.parent / "new", b"ours"),
    "publish": lambda document, folder: _publish(document.parent / "object", folder),
    "delete": lambda document, _: remove_document(document),
    "delete several": lambda document, _: remove_documents([document, document.parent / "new"]),
    "open a table": lambda document, _: open_table(document.parent / "lake"),
    "prove": lambda document, _: prove_store(document.parent),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_another_shops_objects_are_refused_in_one_line(
    others_document: BucketPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attempt: str
) -> None:
    with pytest.raises(
        ConfigurationError, match=r"the credentials are refused \(.*; check AWS_ACCESS_KEY_ID"
    ) as raised:
        ATTEMPTS[attempt](others_document, tmp_path)
    assert "\n" not in str(raised.value)
    for name, value in s3_variables("shop-b").items():
        monkeypatch.setenv(name, value)
    assert (list(names_below(OTHERS)), read_document(others_document)) == (["shop.json"], b"theirs")


def test_a_store_is_proved_without_rights_beyond_the_prefix(others_document: BucketPath) -> None:
    assert [promise for promise in prove_store(OURS, rounds=2, writers=2) if promise.broken] == []
    assert list(names_below(OURS)) == []


@pytest.mark.parametrize("words", [("runs",), ("doctor",), ("run", "--shop", "tiny.toml"), ("promote", "latest")])
def test_commands_on_another_shops_home_end_with_one_line(
    others_document: BucketPath,
    words: tuple[str, ...],
    shop_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(shop_file.parent)
    monkeypatch.setenv("RANKLOOP_ONLINE_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(sys, "argv", ["rankloop", *words, "--home", str(OTHERS)])
    with pytest.raises(SystemExit) as ended:
        main()
    output = capsys.readouterr()
    assert ended.value.code
    assert "the credentials are refused" in " ".join((output.out + output.err).split())
    assert "Traceback" not in output.out + output.err


@pytest.fixture
def shared_redis(tmp_path: Path) -> Iterator[str]:
    with redis_server(tmp_path) as url:
        yield url


def write(backend: RedisBackend, value: bytes) -> int:
    return backend.write_newer(MARK, [RowBatch([ROW], [value])], STAMP, STAMP)


def test_another_shops_rows_are_refused_and_its_keys_not_shown(shared_redis: str) -> None:
    theirs = redis_url_of("shop-b", shared_redis)
    ours = redis_url_of("shop-a", shared_redis)
    with closing(RedisBackend(theirs)) as other, closing(RedisBackend(ours)) as own:
        assert (write(other, b"theirs"), write(own, b"ours")) == (0, 0)
        assert (own.read([ROW]), own.keys(ROW.partition(b":")[0] + b":")) == ([b"ours"], [ROW])
    before = online_content(f"{shared_redis}?prefix=shop-b")
    assert before[ROW] == b"theirs"
    attempts: list[Callable[[RedisBackend], object]] = [
        lambda backend: backend.read([ROW]),
        lambda backend: backend.keys(ROW.partition(b":")[0] + b":"),
        lambda backend: backend.put(ROW, b"ours"),
        lambda backend: write(backend, b"ours"),
        lambda backend: backend.delete([ROW]),
        lambda backend: backend.delete_prefix(ROW.partition(b":")[0] + b":"),
    ]
    for attempt in attempts:
        with closing(RedisBackend(ours.replace("prefix=shop-a", "prefix=shop-b"))) as backend:
            with pytest.raises(StoreError, match=r"refuses \(.*[Pp]ermission.*check .* this user's rights") as raised:
                attempt(backend)
            assert "\n" not in str(raised.value)
    assert online_content(f"{shared_redis}?prefix=shop-b") == before


def test_the_acceptance_counts_and_deletes_what_is_the_shops_own(shared_redis: str) -> None:
    views = [Namespace("rankloop", "users", "r1"), Namespace("rankloop", "items", "r2")]
    urls = [redis_url_of(shop, shared_redis) for shop in ("shop-a", "shop-b")]
    with ExitStack() as opened:
        own, other = (opened.enter_context(closing(RedisBackend(url))) for url in urls)
        for backend in (own, other):
            assert online_store.count(backend) == 0
            for view in views:
                backend.write_newer(view.mark, [RowBatch([view.rows + b"sann"], [b"row"])], STAMP, STAMP)
                backend.put(view.catalog, b"{}")
            backend.put(clock_key("rankloop"), b"{}")
        assert online_store.count(own) == 3
        assert online_store.delete(own) == 0
        assert online_store.count(other) == 3
    with closing(redis.Redis.from_url(shared_redis)) as server:
        assert server.keys("shop-a:*") == []


@pytest.mark.parametrize(
    "command",
    ["SCAN 0", "KEYS *", "DBSIZE", "FLUSHDB", "FLUSHALL", "CONFIG GET *", "SCRIPT FLUSH", "ACL LIST"],
)
def test_a_shops_user_may_run_no_command_on_the_whole_server(shared_redis: str, command: str) -> None:
    address = redis_url_of("shop-a", shared_redis).partition("?")[0]
    with closing(redis.Redis.from_url(address)) as server, pytest.raises(redis.exceptions.NoPermissionError):
        server.execute_command(*command.split())
