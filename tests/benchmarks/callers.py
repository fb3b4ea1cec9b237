"""Two callers: one asks for all it can get, in each way of asking; the other asks for a list 20 times a second.

Run with ``python -m tests.benchmarks.callers``; homes and cores as in ``tests.benchmarks.serving``. The callers'
addresses are 127.0.0.1 and 127.0.0.2. With ``--other FOLDER``, a clone of another revision with its own
``.venv``, the same is asked of that one, in turn. It also prints what a reason costs.
"""

import argparse
import asyncio
import itertools
import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from components.home.layout import Home
from tests.benchmarks.harness.load import closed_loop, post
from tests.benchmarks.harness.served import LOAD_CORE, ROOT, demo_home, users_of, wait_until_ready
from tests.benchmarks.restart import item_ids, service

PER_SECOND = 20.0
EVENTS = 500
MOST_ITEMS = 1000
GREEDY, EVEN = "127.0.0.1", "127.0.0.2"
NICE = 5  # the greedy caller's own work is not to keep the other one's from its core
ROUNDS = 9  # of lists with and without reasons in turn
Ask = Callable[[random.Random, int], bytes]


@dataclass(frozen=True)
class Shop:
    """What a caller can ask for."""

    users: Sequence[str]
    items: Sequence[str]

    def ways(self) -> dict[str, Ask]:
        """Each way of asking for much, as requests by a number."""
        long = {"k": MOST_ITEMS}
        return {
            "lists of 10": self._list({}),
            "lists of 1000": self._list(long),
            "lists of 1000 with reasons": self._list(long | {"explain": True}),
            "1000 items to rank, with reasons": self._rank,
            "batches of 500 events": self._events,
            "a page of Prometheus": lambda chance, number: get("/metrics"),
            "what customers bought": lambda chance, number: get(f"/v1/customers/{chance.choice(self.users)}"),
            "bodies that are too long to be right": lambda chance, number: post(
                "/v1/recommend", {"user_id": "x" * 250_000}
            ),
        }

    def _list(self, more: Mapping[str, object]) -> Ask:
        return lambda chance, number: post("/v1/recommend", {"user_id": chance.choice(self.users), **more})

    def _rank(self, chance: random.Random, number: int) -> bytes:
        items = chance.sample(self.items, min(MOST_ITEMS, len(self.items)))
        return post("/v1/rank", {"user_id": chance.choice(self.users), "items": items, "explain": True})

    def _events(self, chance: random.Random, number: int) -> bytes:
        events = [
            {
                "event_id": f"{number}-{place}",
                "type": "view",
                "user_id": f"guest-{number}-{place}",
                "item_id": chance.choice(self.items),
            }
            for place in range(EVENTS)
        ]
        return post("/v1/events", {"events": events})


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=20.0, help="for each way of asking")
    arguments.add_argument("--connections", type=int, default=32, help="of the greedy caller")
    arguments.add_argument("--ways", nargs="*", help="of asking, by the beginning of their names; all by default")
    arguments.add_argument("--other", type=Path, help="a clone of another revision")
    chosen = arguments.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    with TemporaryDirectory() as folder:
        home = demo_home(Path(folder))
        shop = Shop(users_of(home), item_ids(home))
        for root in [ROOT, chosen.other] if chosen.other else [ROOT]:
            print_shares(root, home, shop, chosen)


def print_shares(root: Path, home: Home, shop: Shop, chosen: argparse.Namespace) -> None:
    """What the even caller gets of one revision, and what its reasons cost."""
    with service(root, home) as port:
        wait_until_ready(port)
        print_reasons(root, port, shop)
        seconds, wanted = chosen.seconds, tuple(chosen.ways or ("",))
        ways = {way: ask for way, ask in shop.ways().items() if way.startswith(wanted)}
        for way, ask in {"nobody else": None, **ways}.items():
            with_greed = greedy(port, ask, chosen.connections) if ask else None
            milliseconds, statuses = asyncio.run(even(port, shop.users, seconds))
            taken = with_greed() if with_greed else Counter[int]()
            p50, p99 = np.quantile(milliseconds, (0.5, 0.99))
            print(
                f"{root.name}, beside {way}: {statuses[200] / statuses.total():.1%} answered (all;"
                f" {_said(statuses, seconds)}), p50 {p50:.1f}, p99 {p99:.1f} ms (at most 100);"
                f" the other {_said(taken, seconds)}",
                flush=True,
            )


def print_reasons(root: Path, port: int, shop: Shop) -> None:
    """A list of ten with and without reasons, in turn on one connection: the medians."""
    found: dict[bool, list[float]] = {False: [], True: []}
    for explain in itertools.islice(itertools.cycle((False, True)), 2 * ROUNDS):
        users = random.Random(1).choices(shop.users, k=50)
        asked = [post("/v1/recommend", {"user_id": user, "k": 10, "explain": explain}) for user in users]
        found[explain] += closed_loop(port, asked).milliseconds
        time.sleep(0.5)
    plain, explained = np.median(found[False]), np.median(found[True])
    print(
        f"{root.name}: a list of ten takes {plain:.2f} ms, with reasons {explained:.2f} ms,"
        f" {explained / plain:.2f} times (at most 2); {(explained - plain) / 10:.2f} ms a reason",
        flush=True,
    )


def _said(taken: Counter[int], seconds: float) -> str:
    return ", ".join(f"{status or 'lost'}: {many / seconds:.0f}/s" for status, many in sorted(taken.items())) or "-"


async def even(port: int, users: Sequence[str], seconds: float) -> tuple[list[float], Counter[int]]:
    """Ask at an even pace from an address of its own; milliseconds from the moment that each was due, and statuses."""
    chance, milliseconds, statuses = random.Random(2), [], Counter[int]()

    async def ask(due: float) -> None:
        status = await asked(port, EVEN, post("/v1/recommend", {"user_id": chance.choice(users)}))
        milliseconds.append((time.perf_counter() - due) * 1e3)
        statuses[status] += 1

    began, tasks = time.perf_counter() + 0.5, []
    for number in range(round(seconds * PER_SECOND)):
        due = began + number / PER_SECOND
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(ask(due)))
    await asyncio.gather(*tasks)
    return milliseconds, statuses


async def asked(port: int, address: str, request: bytes) -> int:
    """Ask on a connection of its own; the status, 0 where no answer came."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        writer.write(request)
        status = int((await reader.readuntil(b"\r\n\r\n"))[9:12])
        writer.close()
    except (OSError, asyncio.IncompleteReadError):
        return 0
    return status


def greedy(port: int, ask: Ask, connections: int) -> Callable[[], Counter[int]]:
    """Ask without end in a process of its own, from now on until the result is called for: statuses."""
    context = multiprocessing.get_context("fork")
    stop, results = context.Event(), context.Queue()
    process = context.Process(target=_greedy, args=(port, ask, connections, stop, results))
    process.start()

    def stopped() -> Counter[int]:
        stop.set()
        found: Counter[int] = results.get()
        process.join()
        return found

    return stopped


def _greedy(port: int, ask: Ask, connections: int, stop: Event, results: "multiprocessing.Queue[Counter[int]]") -> None:
    os.nice(NICE)
    statuses: Counter[int] = Counter()
    chance = random.Random(3)
    ready = [ask(chance, number) for number in range(connections * 8)]

    def endless() -> Iterator[bytes]:
        for number in itertools.count():
            yield (
                ready[number % len(ready)]
                if number < len(ready) or b"event_id" not in ready[0]
                else ask(chance, number)
            )

    async def all_of_them() -> None:
        requests = endless()
        await asyncio.gather(*(_ask_on(port, requests, stop, statuses) for _ in range(connections)))

    asyncio.run(all_of_them())
    results.put(statuses)


async def _ask_on(port: int, requests: Iterator[bytes], stop: Event, statuses: Counter[int]) -> None:
    while not stop.is_set():
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(GREEDY, 0), limit=2**20)
            while not stop.is_set():
                writer.write(next(requests))
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                statuses[int(head[9:12])] += 1
                if b"connection: close" in head.lower():
                    break
            writer.close()
        except (OSError, asyncio.IncompleteReadError, IndexError):
            statuses[0] += 1


def get(path: str) -> bytes:
    """A request without a body, as it goes over the wire."""
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()


if __name__ == "__main__":
    main()
