"""A Redis that is gone, or that accepts and never answers, costs requests little and answers nothing."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from components.bundles.promotion import promote, rollback
from components.contracts.errors import StoreError
from components.ranking_service.answering.answers import Fallback
from components.ranking_service.answering.breaker import Breaker, State
from components.ranking_service.answering.online_rows import OnlineRows
from components.ranking_service.answering.sessions import session_table
from components.ranking_service.live.serving import Serving
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.writing import write_view
from feature_repo.project import PROJECT
from feature_repo.sessions import session_view
from tests.components.ranking_service.answering.test_sessions import session_of
from tests.components.ranking_service.served_shop import (
    Stocked,
    caller_of,
    moved_to,
    published,
    put_online,
    random_trees,
    serving,
)
from tests.servers import free_port, redis_server
from tests.waiting import until

pytestmark = pytest.mark.slow(seconds=30)

MILLISECONDS = 1000.0  # generous: this machine may be busy; without a deadline a call may take 30 s
ENDLESS = 20.0


class Server:
    """A Redis that can be stopped and started again, empty, on its port."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port, self._running = folder, free_port(), ExitStack()
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        self._running.enter_context(redis_server(self._folder, self._port))

    def stop(self) -> None:
        self._running.close()

    def pause(self, seconds: float) -> None:
        """Go on accepting, and answer nothing for a while."""
        with closing(redis.Redis.from_url(self.url)) as client:
            client.execute_command("CLIENT", "PAUSE", int(seconds * 1000), "ALL")

    @contextmanager
    def counting_reads(self) -> Iterator[Callable[[], int]]:
        """Give a function that says how often the server has read from a connection since this began."""
        with closing(redis.Redis.from_url(self.url)) as client:

            def reads() -> int:
                return int(client.info("stats")["total_reads_processed"])

            before = reads()
            yield lambda: reads() - before - 1  # the question itself is read too


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = Server(tmp_path_factory.mktemp("redis"))
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def shop(server: Server, stocked_shop: Stocked) -> Stocked:
    return moved_to(stocked_shop, server.url)


@pytest.fixture
def live(shop: Stocked) -> Iterator[Serving]:
    with serving(shop.home, store_deadline_ms=MILLISECONDS) as found:
        yield found


def rows_of(live: Serving) -> OnlineRows:
    assert live.live is not None
    return live.live.champion.rows


@contextmanager
def asked(shop: Stocked, url: str) -> Iterator[OnlineRows]:
    """Rows of a store, with a bounded client of another one."""

    def client(place: str, deadline: float | None = None) -> PackedClient:
        features = shop.features
        return PackedClient.open(
            place, project=PROJECT, revision=features.revision, clock=lambda: features.as_of, deadline_seconds=deadline
        )

    with closing(OnlineRows(client(shop.home.online_url), client(url, MILLISECONDS / 1000))) as rows:
        yield rows


def test_a_user_and_their_session_are_read_in_one_round_trip(shop: Stocked, server: Server) -> None:
    with asked(shop, server.url) as rows:
        write_view(rows.client, session_view(), session_table({"u7": session_of("view", "purchase")}))
        items = rows.items().rows
        rows.read_user("u2", items)
        with server.counting_reads() as reads:
            row = rows.read_user("u7", items)
            assert reads() == 1
    assert row.has_row
    assert row.session is not None
    assert row.session.found.all()


def test_a_redis_that_is_killed_costs_the_history_until_it_is_back(
    shop: Stocked, server: Server, live: Serving
) -> None:
    service, clock = caller_of(live), [0.0]
    rows_of(live).breaker = Breaker(clock=lambda: clock[0])
    expected = service.recommend("u1")
    assert expected["fallback"] is None
    server.stop()
    answers = [service.recommend("u1") for _ in range(5)]
    assert {answer["fallback"] for answer in answers} == {"store_unavailable"}
    assert all(answer["items"] == service.recommend("u2")["items"] for answer in answers), "what sells to everybody"
    assert rows_of(live).breaker.state is State.OPEN
    assert service.ask("GET", "/readyz").status_code == 200
    server.start()
    put_online(shop.home, shop.features)
    assert service.recommend("u1")["fallback"] == "store_unavailable", "it is left alone for a second"
    clock[0] = 1.0
    assert service.recommend("u1")["items"] == expected["items"]
    assert rows_of(live).breaker.state is State.CLOSED


def test_a_promotion_is_followed_while_the_store_is_down(
    shop: Stocked, server: Server, live: Serving, tmp_path: Path
) -> None:
    other = published(shop.home, tmp_path, random_trees(shop.features.revision, seed=9))
    server.stop()
    promote(shop.home, "small", other.digest, "local", "2024-03-11T00:00:00+00:00")
    try:
        until(lambda: live.live is not None and live.live.champion.bundle.digest == other.digest)
        assert caller_of(live).recommend("u1")["fallback"] == "store_unavailable"
    finally:
        rollback(shop.home, "small", "local", "2024-03-11T00:00:01+00:00")
        server.start()
        put_online(shop.home, shop.features)


def test_a_redis_that_answers_nothing_costs_its_deadline_three_times(
    shop: Stocked, server: Server, live: Serving
) -> None:
    service = caller_of(live)
    rows_of(live).breaker = Breaker(clock=lambda: 0.0)
    server.pause(ENDLESS)
    began = time.monotonic()
    answers = [service.recommend("u1") for _ in range(20)]
    assert time.monotonic() - began < ENDLESS, "it did not wait for the server"
    server.stop()
    server.start()
    put_online(shop.home, shop.features)
    assert {answer["fallback"] for answer in answers} == {"store_unavailable"}


def test_once_the_breaker_is_open_the_store_is_not_asked(shop: Stocked) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        came: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    came.append(deaf.accept()[0])
                except OSError:
                    return

        accepting = threading.Thread(target=accept)
        accepting.start()
        with asked(shop, f"redis://127.0.0.1:{deaf.getsockname()[1]}/0") as rows:
            rows.breaker = Breaker(clock=lambda: 0.0)
            items = rows.items().rows
            for _ in range(10):
                with pytest.raises(StoreError):
                    rows.read_user("u1", items)
                assert rows.stored_sessions(["u1"]) is None
        deaf.shutdown(socket.SHUT_RDWR)
        accepting.join()
        for connection in came:
            connection.close()
    assert len(came) <= 6, "three requests, and the sessions read until then"
    assert rows.breaker.state is State.OPEN


def test_events_are_taken_while_the_store_is_down_and_sessions_written_when_it_is_back(
    shop: Stocked, server: Server, live: Serving
) -> None:
    service = caller_of(live)
    server.stop()
    event = {"event_id": "while-down", "type": "purchase", "user_id": "u3", "item_id": "i01"}
    assert service.post("/v1/events", json={"events": [event]}).status_code == 202
    server.start()
    put_online(shop.home, shop.features)

    def written() -> bool:
        with asked(shop, server.url) as rows:
            stored = rows.stored_sessions(["u3"])
        return stored is not None and bool(stored.found[0])

    until(written)


def test_a_service_that_begins_without_its_store_answers_nothing_and_takes_events(
    shop: Stocked, server: Server, live: Serving
) -> None:
    """The clock of the last run serves until the store is back."""
    server.stop()
    with serving(shop.home, store_deadline_ms=MILLISECONDS) as late:
        service = caller_of(late)
        answer = service.recommend("u1")
        assert (answer["items"], answer["bundle"], answer["fallback"]) == ([], None, Fallback.STORE_UNAVAILABLE)
        assert service.ask("GET", "/readyz").status_code == 503
        event = {"event_id": "at-once", "type": "view", "user_id": "u3", "item_id": "i01"}
        assert service.post("/v1/events", json={"events": [event]}).status_code == 202
        server.start()
        put_online(shop.home, shop.features)
        until(lambda: service.ask("GET", "/readyz").status_code == 200)
        assert service.recommend("u1")["fallback"] is None


def test_a_first_start_without_a_store_refuses_events_for_the_time_is_not_known(shop: Stocked, tmp_path: Path) -> None:
    home = replace(shop.home, root=tmp_path)
    home.shop_note.write_bytes(shop.home.shop_note.read_bytes())
    (tmp_path / "online_url").write_text(f"redis://127.0.0.1:{free_port()}/0")
    with serving(home) as found:
        event = {"event_id": "e", "type": "view", "user_id": "u3", "item_id": "i01"}
        answered = caller_of(found).post("/v1/events", json={"events": [event]})
    assert (answered.status_code, answered.headers["retry-after"]) == (503, "1")
