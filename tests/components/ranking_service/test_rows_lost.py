"""A Redis that came back empty, lost some of its keys, holds something else under them, or stands still."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import redis

from components.ranking_service.live import watcher
from components.ranking_service.live.readings import show_readings
from components.ranking_service.live.serving import Serving
from tests.components.ranking_service.served_shop import Caller, Stocked, caller_of, moved_to, put_online, serving
from tests.servers import redis_server
from tests.waiting import until

pytestmark = pytest.mark.slow(seconds=30)

GENEROUS_MS = 20_000.0  # this machine may be busy
USERS, ITEMS = "user_features", "item_features"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as found:
        yield found


@pytest.fixture(scope="module")
def shop(url: str, stocked_shop: Stocked) -> Stocked:
    return moved_to(stocked_shop, url)


@pytest.fixture
def server(shop: Stocked, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator["redis.Redis[bytes]"]:
    """The server, whole before each test; the service counts its rows at each look."""
    monkeypatch.setattr(watcher, "COUNT_EVERY", 1)
    with closing(redis.Redis.from_url(url)) as found:
        found.flushall()
        put_online(shop.home, shop.features)
        yield found


def start(shop: Stocked, opened: ExitStack) -> tuple[Serving, Caller]:
    live = opened.enter_context(serving(shop.home, store_deadline_ms=GENEROUS_MS))
    show_readings(live.measures, live)
    return live, caller_of(live)


def fallback(service: Caller, user_id: str) -> Any:
    return service.recommend(user_id)["fallback"]


def rows(service: Caller) -> dict[str, float]:
    """Rows that are online and that should be, by the metric with its view."""
    lines = service.ask("GET", "/metrics").text.splitlines()
    shown = [line.rpartition(" ") for line in lines if line.startswith("rankloop_online_rows")]
    return {name: float(value) for name, _, value in shown}


def rows_of(server: "redis.Redis[bytes]", view: str) -> bytes:
    """Return the name of the hash of a view's rows."""
    [name] = server.scan_iter(f"rankloop:rl1/*/{view}/*")
    return bytes(name)


def delete_half(server: "redis.Redis[bytes]", view: str) -> None:
    name = rows_of(server, view)
    server.hdel(name, *sorted(server.hkeys(name))[::2])


def test_whole_rows_are_counted_and_named_by_nothing(shop: Stocked, server: "redis.Redis[bytes]") -> None:
    with ExitStack() as opened:
        _, service = start(shop, opened)
        assert (fallback(service, "u1"), fallback(service, "nobody")) == (None, "unknown_user")
        found = rows(service)
    for view in (USERS, ITEMS):
        expected = server.hlen(rows_of(server, view))
        assert found[f'rankloop_online_rows_expected{{view="{view}"}}'] == expected
        assert found[f'rankloop_online_rows{{view="{view}"}}'] == expected


def test_a_store_that_is_emptied_is_named_until_its_rows_are_written_again(
    shop: Stocked, server: "redis.Redis[bytes]", caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as opened:
        live, service = start(shop, opened)
        before = service.recommend("u1")
        server.flushall()
        until(lambda: fallback(service, "u1") == "rows_missing")
        assert service.recommend("u1")["items"], "the items that were read before are kept"
        assert rows(service)['rankloop_online_rows{view="user_features"}'] == 0
        messages = [record.message for record in caplog.records if "only 0 of" in record.message]
        assert len(messages) == 1
        assert f"`rankloop run --shop small.toml --home {shop.home.root}` writes them again" in messages[0]
        until(lambda: live.live is not None and "online rows" in live.live.trouble)
        put_online(shop.home, shop.features)
        until(lambda: fallback(service, "u1") is None)
        assert service.recommend("u1")["items"] == before["items"]
        until(lambda: live.live is not None and not live.live.trouble)


def test_a_store_that_lost_half_of_its_rows_is_named_from_the_start(
    shop: Stocked, server: "redis.Redis[bytes]"
) -> None:
    delete_half(server, USERS)
    with ExitStack() as opened:
        _, service = start(shop, opened)
        users = [entity.decode()[1:] for entity in server.hkeys(rows_of(server, USERS))]
        assert fallback(service, users[0]) is None
        assert fallback(service, "nobody") == "rows_missing", "they may have had a row"
        found = rows(service)
        assert found['rankloop_online_rows{view="user_features"}'] == len(users)
        assert found['rankloop_online_rows_expected{view="user_features"}'] > len(users)


def test_items_that_were_lost_before_the_start_are_named_in_every_answer(
    shop: Stocked, server: "redis.Redis[bytes]"
) -> None:
    delete_half(server, ITEMS)
    with ExitStack() as opened:
        _, service = start(shop, opened)
        assert fallback(service, "u1") == "rows_missing"
        put_online(shop.home, shop.features)
        until(lambda: fallback(service, "u1") is None)


@pytest.mark.parametrize("spoil", ["short", "random", "other schema", "beyond its end"])
def test_a_row_that_holds_something_else_costs_its_user_alone(
    shop: Stocked, server: "redis.Redis[bytes]", spoil: str
) -> None:
    name = rows_of(server, USERS)
    whole = server.hget(name, b"su1") or b""
    spoiled = {
        "short": whole[:20],
        "random": bytes(range(256)) * (len(whole) // 256 + 1),
        "other schema": whole[:24] + bytes(8) + whole[32:],
        "beyond its end": whole[:-8],
    }
    server.hset(name, b"su1", spoiled[spoil])
    with ExitStack() as opened:
        live, service = start(shop, opened)
        assert [fallback(service, user) for user in ("u1", "u1", "u1", "u1", "u2")] == ["rows_missing"] * 4 + [None]
        assert live.live is not None
        assert live.live.champion.rows.breaker.state == 0, "the store answers"


@pytest.mark.parametrize("names", ["rl1-clock/*", "rl1-view/*", "rl1-inventory/*"])
def test_records_that_hold_something_else_take_no_service_down(
    shop: Stocked, server: "redis.Redis[bytes]", names: str
) -> None:
    for name in server.scan_iter(f"rankloop:{names}"):
        server.hset(name, mapping=dict.fromkeys(server.hkeys(name), b"\xffno record"))
    with ExitStack() as opened:
        _, service = start(shop, opened)
        assert service.post("/v1/recommend", json={"user_id": "u1"}).status_code == 200
        put_online(shop.home, shop.features)
        until(lambda: fallback(service, "u1") is None)


def test_a_redis_that_stands_still_holds_up_no_start(
    shop: Stocked, server: "redis.Redis[bytes]", tmp_path: Path
) -> None:
    process = server.info("server")["process_id"]
    os.kill(process, signal.SIGSTOP)
    try:
        with serving(shop.home) as found:
            assert fallback(caller_of(found), "u1") == "store_unavailable"
            os.kill(process, signal.SIGCONT)
            until(lambda: fallback(caller_of(found), "u1") is None)
    finally:
        os.kill(process, signal.SIGCONT)
