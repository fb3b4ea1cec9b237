"""What the Redis backend has to bear: writers that come between, servers that are gone or full."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.backends import redis_commands
from feature_repo.packed_online_store.backends.backend import RowBatch
from feature_repo.packed_online_store.backends.redis_backend import RedisBackend
from tests.servers import free_port, redis_server


def stamp(event_time: int) -> bytes:
    return struct.pack("<qq", event_time, 0)


def row(event_time: int, text: bytes) -> bytes:
    """Pack a row of a header and a text."""
    return b"RLP1...." + stamp(event_time) + bytes(16) + struct.pack("<II", 48 + len(text), 0) + text


OpenBackend = Callable[[str], RedisBackend]


@pytest.fixture
def open_backend() -> Iterator[OpenBackend]:
    opened: list[RedisBackend] = []

    def open_one(url: str) -> RedisBackend:
        opened.append(RedisBackend(url))
        return opened[-1]

    yield open_one
    for backend in opened:
        backend.close()


@pytest.fixture
def backend(redis_url: str, open_backend: OpenBackend) -> Iterator[RedisBackend]:
    backend = open_backend(redis_url)
    yield backend
    backend.delete_prefix(b"rl1/test:")
    backend.delete([b"rl1-mark/test"])


@pytest.fixture
def other(redis_url: str, open_backend: OpenBackend) -> RedisBackend:
    return open_backend(redis_url)


def write(backend: RedisBackend, batches: Iterator[RowBatch] | list[RowBatch], oldest: int, newest: int) -> int:
    return backend.write_newer(b"rl1-mark/test", batches, stamp(oldest), stamp(newest))


def test_a_writer_that_comes_between_two_batches_keeps_its_newer_rows(
    backend: RedisBackend, other: RedisBackend
) -> None:
    def batches() -> Iterator[RowBatch]:
        yield RowBatch([b"rl1/test:a"], [row(1, b"first")])
        write(other, [RowBatch([b"rl1/test:b", b"rl1/test:c"], [row(5, b"newer"), row(0, b"older")])], 0, 5)
        yield RowBatch([b"rl1/test:b", b"rl1/test:c"], [row(2, b"second"), row(2, b"second")])

    assert write(backend, batches(), 1, 2) == 1
    values = backend.read([b"rl1/test:a", b"rl1/test:b", b"rl1/test:c"])
    assert values == [row(1, b"first"), row(5, b"newer"), row(2, b"second")]


def test_a_writer_that_comes_between_looking_and_writing_is_noticed(
    backend: RedisBackend, other: RedisBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = redis_commands.may_overwrite

    def look_too_early(*arguments: Any) -> bool:
        monkeypatch.setattr(redis_commands, "may_overwrite", look)
        allowed = look(*arguments)
        write(other, [RowBatch([b"rl1/test:a"], [row(5, b"newer")])], 5, 5)
        return allowed

    monkeypatch.setattr(redis_commands, "may_overwrite", look_too_early)
    assert write(backend, [RowBatch([b"rl1/test:a"], [row(1, b"older")])], 1, 1) == 1
    assert backend.read([b"rl1/test:a"]) == [row(5, b"newer")]


def test_the_mark_remembers_the_newest_stamp_of_any_write(backend: RedisBackend) -> None:
    marks = []
    for event_time in (3, 9, 4):
        write(backend, [RowBatch([b"rl1/test:a"], [row(event_time, b"")])], event_time, event_time)
        marks.append((backend.read([b"rl1-mark/test"])[0] or b"")[:16])
    assert marks == [stamp(3), stamp(9), stamp(9)]


def test_prefixes_are_taken_literally(backend: RedisBackend) -> None:
    for key in (b"rl1/test:a*b", b"rl1/test:axb", b"rl1/test:a[x]", b"rl1/test:a\\"):
        backend.put(key, b"1")
    assert backend.keys(b"rl1/test:a*") == [b"rl1/test:a*b"]
    assert backend.keys(b"rl1/test:a\\") == [b"rl1/test:a\\"]
    assert backend.delete_prefix(b"rl1/test:a[") == 1
    assert backend.keys(b"rl1/test:a") == [b"rl1/test:a*b", b"rl1/test:a\\", b"rl1/test:axb"]


def test_a_server_that_is_not_there_is_one_clear_error(open_backend: OpenBackend) -> None:
    url = f"redis://user:secret@127.0.0.1:{free_port()}/0"
    backend = open_backend(url)
    with pytest.raises(StoreError, match=r"cannot be reached .*; expected a Redis server there: start it") as raised:
        backend.read([b"a"])
    assert "secret" not in str(raised.value)
    with pytest.raises(StoreError, match="cannot be reached"):
        write(backend, [RowBatch([b"a"], [row(1, b"")])], 1, 1)


def test_a_server_that_dies_and_comes_back_is_found_again(tmp_path: Path, open_backend: OpenBackend) -> None:
    port = free_port()
    with redis_server(tmp_path, port) as url:
        backend = open_backend(url)
        backend.put(b"a", b"1")
    with pytest.raises(StoreError, match="cannot be reached"):
        backend.read([b"a"])
    with redis_server(tmp_path, port):
        assert backend.read([b"a"]) == [None]
        assert write(backend, [RowBatch([b"a"], [row(1, b"")])], 1, 1) == 0


def test_a_full_server_is_one_clear_error(tmp_path: Path, open_backend: OpenBackend) -> None:
    with redis_server(tmp_path) as url:
        with redis.Redis.from_url(url) as server:
            server.config_set("maxmemory", "2mb")
        batches = [RowBatch([b"rl1/test:%d" % turn], [row(1, b"x" * 500_000)]) for turn in range(8)]
        with pytest.raises(StoreError, match=r"refuses .*memory.*; expected a writable Redis that evicts nothing"):
            write(open_backend(url), batches, 1, 1)


@pytest.mark.parametrize("standing", [b"", b"short", b"\xff" * 80, b"RLP1...." + stamp(9) + b"\xff" * 60])
def test_what_is_no_row_is_overwritten_however_new_it_looks(backend: RedisBackend, standing: bytes) -> None:
    backend.put(b"rl1/test:a", standing)
    backend.put(b"rl1-mark/test", stamp(9))  # so that rows are compared
    assert write(backend, [RowBatch([b"rl1/test:a"], [row(1, b"ours")])], 1, 1) == 0
    assert backend.read([b"rl1/test:a"]) == [row(1, b"ours")]


@pytest.mark.parametrize("mark", [b"", b"short"])
def test_marks_that_are_none_stop_no_write(backend: RedisBackend, mark: bytes) -> None:
    backend.put(b"rl1-mark/test", mark)
    assert write(backend, [RowBatch([b"rl1/test:a"], [row(1, b"ours")])], 1, 1) == 0
    assert backend.read([b"rl1/test:a"]) == [row(1, b"ours")]


def test_a_key_of_another_type_is_one_clear_error(backend: RedisBackend, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as server:
        server.lpush(b"rankloop:rl1/other:", b"x")
        with pytest.raises(StoreError, match=r"refuses .*wrong kind of value"):
            backend.read([b"rl1/other:a"])
        server.delete(b"rankloop:rl1/other:")


def test_an_error_inside_a_transaction_is_one_clear_error(backend: RedisBackend, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as server:
        server.lpush(b"rankloop:rl1/test:", b"x")
        with pytest.raises(StoreError, match=r"refuses .*wrong kind of value"):
            write(backend, [RowBatch([b"rl1/test:a"], [row(1, b"lost")])], 1, 1)
        server.delete(b"rankloop:rl1/test:")


def test_stores_below_two_prefixes_do_not_see_each_other(redis_url: str, open_backend: OpenBackend) -> None:
    one, other = (open_backend(f"{redis_url}?prefix={name}") for name in ("shop_a", "shop_b"))
    keys = [b"rl1/p/users/r:sa", b"rl1/p/users/r:sb", b"rl1/p/items/r:sa", b"rl1-view/p/users/r", b"rl1-clock/p"]
    for key in keys:
        one.put(key, key.upper())
    assert one.read([*keys, b"rl1-mark/p/users/r"]) == [*(key.upper() for key in keys), None]
    assert other.read(keys) == [None] * len(keys)
    assert one.keys(b"rl1/p/users/r:") == keys[:2]
    assert one.keys(b"rl1-view/p/") == one.keys(b"rl1-view/p/users/") == [b"rl1-view/p/users/r"]
    assert other.keys(b"rl1/p/users/r:") == []
    assert (one.delete_prefix(b"rl1/p/users/r:"), one.delete(keys)) == (2, 3)


@pytest.mark.parametrize("prefix", ["", "a*", "a:b", "a" * 65])
def test_a_prefix_that_no_pattern_of_keys_could_hold_is_refused(prefix: str) -> None:
    with pytest.raises(StoreError, match=r"found the prefix '.*', expected a prefix of 1 to 64 letters"):
        RedisBackend(f"redis://127.0.0.1:1/0?prefix={prefix}")
