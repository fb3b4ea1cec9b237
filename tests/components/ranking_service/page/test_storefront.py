"""The customers that the page may choose from: one read of the store serves all who wait for it."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.contracts.errors import StoreError
from components.home.layout import Home
from components.home.tombstones import TombstoneView, add_tombstone
from components.ranking_service.page import storefront
from components.ranking_service.page.storefront import storefront_of
from components.ranking_service.settings import ServiceSettings

CALLERS, PATIENCE_SECONDS = 8, 60


class SlowStore:
    """Rows whose ids take as long to read as is asked for; it counts the reads."""

    def __init__(self, *broken: int) -> None:
        self.reads, self.broken, self.gate = 0, broken, threading.Event()

    def user_ids(self) -> Sequence[str]:
        self.reads += 1
        number = self.reads
        assert self.gate.wait(PATIENCE_SECONDS)
        if number in self.broken:
            raise StoreError("redis://nowhere: no answer")
        return ["ann", "bob"]


def customers_of(home: Home, store: SlowStore) -> Callable[[], Sequence[str]]:
    """What a storefront over a store alone knows of customers."""
    nothing = SimpleNamespace(allowed=(), items=SimpleNamespace(item_ids=()))
    bundle = SimpleNamespace(digest="sha256:1", manifest=SimpleNamespace(k=5, rules={}))
    champion: Any = SimpleNamespace(rows=store, bundle=bundle, pool=nothing)
    catalogue: Any = SimpleNamespace(sections=lambda _: ())
    forgotten = TombstoneView(home.tombstones)
    return storefront_of(ServiceSettings(home), "small", {"champion": champion}, None, catalogue, forgotten).customers


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "shop.json").write_text('{"shop": "small", "shop_file": "small.toml"}')
    return Home(tmp_path)


class CountedFuture(Future[Sequence[str]]):
    """A future that counts those who wait for it."""

    waiting = threading.Semaphore(0)

    def result(self, timeout: float | None = None) -> Sequence[str]:
        self.waiting.release()
        return super().result(timeout)


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CountedFuture, "waiting", threading.Semaphore(0))
    monkeypatch.setattr(storefront, "Future", CountedFuture)


def ask_at_once(customers: Callable[[], Sequence[str]], store: SlowStore) -> list[object]:
    """Ask from many threads; let the store answer once one reads and all others wait."""

    def outcome() -> object:
        try:
            return customers()
        except StoreError as error:
            return str(error)

    with ThreadPoolExecutor(CALLERS) as callers:
        answers = [callers.submit(outcome) for _ in range(CALLERS)]
        for _ in range(CALLERS - 1):
            assert CountedFuture.waiting.acquire(timeout=PATIENCE_SECONDS)
        store.gate.set()
        return [each.result() for each in answers]


def test_one_read_serves_all_who_ask_at_once_and_later(home: Home) -> None:
    store = SlowStore()
    customers = customers_of(home, store)
    assert ask_at_once(customers, store) == [["ann", "bob"]] * CALLERS
    assert customers() == ["ann", "bob"]
    assert store.reads == 1


def test_one_failed_read_fails_all_who_waited_and_the_next_caller_reads_again(home: Home) -> None:
    store = SlowStore(1)
    customers = customers_of(home, store)
    assert ask_at_once(customers, store) == ["redis://nowhere: no answer"] * CALLERS
    assert customers() == ["ann", "bob"]
    assert store.reads == 2


def test_who_is_forgotten_is_left_out_from_then_on(home: Home) -> None:
    store = SlowStore()
    store.gate.set()
    customers = customers_of(home, store)
    assert customers() == ["ann", "bob"]
    add_tombstone(home.tombstones, "ann")
    assert customers() == ["bob"]
