"""Answers under load are in the log, however the real server ends."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import psutil
import pytest

from components.feedback.reading import served_events, served_lists
from tests.pipelines.homes.served_home import PATIENCE_SECONDS, Server, serving
from tests.pipelines.homes.tiny_shop import LivingHome
from tests.waiting import until

pytestmark = pytest.mark.slow(seconds=30)

UNLIMITED = {"RANKLOOP_REQUESTS_PER_SECOND": "1000000", "RANKLOOP_REQUESTS_AT_ONCE": "1000000"}
CALLERS = 4
ENOUGH = 300  # answers before the server is stopped
LOST_AT_MOST_SECONDS = 2.0  # one is promised; another for a disk to which other tests write


@dataclass
class Load:
    """Callers who ask and tell as fast as they are answered, until nobody answers any more."""

    address: str
    lists: dict[str, float] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    @contextmanager
    def coming(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._call, args=(caller,)) for caller in range(CALLERS)]
        for thread in threads:
            thread.start()
        until(lambda: len(self.lists) >= ENOUGH)
        yield
        for thread in threads:
            thread.join()

    def before(self, moment: float) -> set[str]:
        """Return the lists that were answered before a moment."""
        return {one for one, at in list(self.lists.items()) if at < moment}

    def _call(self, caller: int) -> None:
        with httpx.Client(base_url=self.address, timeout=PATIENCE_SECONDS) as client:
            number = 0
            ends = time.monotonic() + 2 * PATIENCE_SECONDS
            try:
                while time.monotonic() < ends:
                    number += 1
                    self._ask(client, f"user {number % 7}")
                    self._tell(client, f"{self.address}-{caller}-{number}", f"user {number % 7}")
            except httpx.TransportError:
                return

    def _ask(self, client: httpx.Client, user: str) -> None:
        answered = client.post("/v1/recommend", json={"user_id": user})
        if answered.status_code == 200:
            self.lists[answered.json()["request_id"]] = time.monotonic()

    def _tell(self, client: httpx.Client, event_id: str, user: str) -> None:
        event = {"event_id": event_id, "type": "view", "user_id": user, "item_id": "any"}
        if client.post("/v1/events", json={"events": [event]}).status_code == 202:
            self.events.append(event_id)


@pytest.fixture(scope="module")
def living(baseline_home: LivingHome) -> LivingHome:
    return baseline_home


def kill(server: Server) -> None:
    """End the server and its worker, which has a process group of its own, at once."""
    parent = psutil.Process(server.process.pid)
    family = [*parent.children(recursive=True), parent]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=PATIENCE_SECONDS)


def logged(living: LivingHome) -> tuple[list[str], list[str]]:
    """Ids of the lists and events in the log."""
    lists, events = served_lists(living.home, ["request_id"]), served_events(living.home)
    return lists["request_id"].to_pylist(), events["event_id"].to_pylist()


def test_a_server_that_is_asked_to_stop_under_load_loses_nothing(living: LivingHome) -> None:
    with serving(living, **UNLIMITED) as server:
        load = Load(server.address)
        with load.coming():
            server.process.send_signal(signal.SIGTERM)
    lists, events = logged(living)
    assert len(load.lists) >= ENOUGH
    assert set(load.lists) <= set(lists)
    assert len(lists) == len(set(lists))
    assert set(load.events) <= set(events)
    assert len(events) == len(set(events))


def test_a_server_that_is_killed_loses_no_event_and_the_lists_of_a_second(living: LivingHome) -> None:
    with serving(living, **UNLIMITED) as server:
        load = Load(server.address)
        with load.coming():
            until(lambda: len(load.before(time.monotonic() - LOST_AT_MOST_SECONDS)) >= ENOUGH)
            killed_at = time.monotonic()
            kill(server)
    lists, events = logged(living)
    early = load.before(killed_at - LOST_AT_MOST_SECONDS)
    assert len(early) >= ENOUGH
    assert early <= set(lists)
    assert set(load.events) <= set(events)
    with serving(living) as server:  # what the dead one left is moved, each once
        httpx.get(f"{server.address}/livez").raise_for_status()
    again, _ = logged(living)
    assert sorted(again) == sorted(set(lists))
    assert not list((living.home.feedback / "journal" / "lists").glob("*.jsonl"))
