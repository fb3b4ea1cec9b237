"""What the service answers while things break or change under load, and whether it answers what batch answers.

Run with ``python -m tests.benchmarks.serving_faults``; homes and cores as in ``tests.benchmarks.serving``.
"""

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import ArrayLike

from components.bundles.batch import open_batch
from components.bundles.promotion import named_bundle, promote
from components.features.snapshots.sets import current_set
from components.feedback.reading import served_lists
from components.home.layout import Home
from components.materialize_features.packed_rows import advance_clock, open_client, write_newest
from tests.benchmarks.harness.load import Answers, at_random, closed_loop, open_loop, post
from tests.benchmarks.harness.served import LOAD_CORE, demo_home, served, users_of
from tests.benchmarks.harness.variants import SHOP, publish_reweighted
from tests.servers import binary_of, free_port

PER_SECOND = 150.0


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--requests", type=int, default=10_000, help="compared with batch")
    chosen = arguments.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    with TemporaryDirectory() as folder:
        home = demo_home(Path(folder))
        users = users_of(home)
        print_equality(home, users, chosen.requests)
        print_reloads(home, users)
        print_redis(home, users, Path(folder))


def print_equality(home: Home, users: list[str], requests: int) -> None:
    """Replay requests, and compare what was logged with what batch computes from the snapshot."""
    asked = random.Random(3).choices(users, k=requests)
    with served(home) as (port, _):
        measured = closed_loop(port, [post("/v1/recommend", {"user_id": user}) for user in asked])
    batch = batch_lists(home)
    lists = served_lists(home).to_pylist()
    same = sum(_as_listed(one["item_ids"], one["scores"], one["features"]) == batch[one["user_id"]] for one in lists)
    print(f"{measured.answered:,} requests, {len(lists):,} logged: {same:,} equal batch in items, scores and features")
    if not same == len(lists) == requests:
        sys.exit("the service and batch differ")


def batch_lists(home: Home) -> dict[str, "Listed"]:
    """What batch ranks for every user, from the snapshot."""
    bundle = named_bundle(home, SHOP, "champion")
    batch = open_batch(bundle, current_set(home.features))
    found = {}
    for part in batch.recommended(bundle.manifest.k):
        for user in np.unique(part.user):
            mine = np.flatnonzero(part.user == user)
            mine = mine[np.argsort(part.rank[mine])]
            items = batch.items.item_ids[part.item[mine]].tolist()
            found[str(batch.users.user_ids[user])] = _as_listed(items, part.score[mine], part.features[mine])
    return found


Listed = tuple[list[str], bytes, bytes]


def _as_listed(items: list[str], scores: ArrayLike, features: ArrayLike) -> Listed:
    """A list to the bit; every not-a-number is the same one."""
    numbers = np.array(features, dtype=np.float32).ravel()
    numbers[np.isnan(numbers)] = np.nan
    return items, np.array(scores, dtype=np.float32).tobytes(), numbers.tobytes()


def print_reloads(home: Home, users: list[str]) -> None:
    """Promote two bundles in turn under load, then stop the service under load: count what was dropped."""
    bundles = [named_bundle(home, SHOP, "champion").digest, publish_reweighted(home).digest]
    before = served_lists(home).num_rows
    turns = itertools.count()

    def change() -> None:
        promote(home, SHOP, bundles[(next(turns) + 1) % 2], "local", datetime.now(UTC).isoformat())

    with served(home, {"RANKLOOP_DRAIN_SECONDS": "2"}) as (port, process):
        with _every(2.0, change):
            measured = open_loop(port, _requests(users), at_random(PER_SECOND, 20))
        stopping = threading.Timer(4.0, process.send_signal, [signal.SIGTERM])
        stopping.start()
        # ends a second after the service said that it stops
        last = open_loop(port, _requests(users), at_random(PER_SECOND, 5))
        process.wait(60)
    answered = measured.answered + last.answered
    used = {json.loads(body)["bundle"][:19] for body in measured.bodies}
    logged = served_lists(home).num_rows - before
    print(
        f"{next(turns)} reloads and SIGTERM under {PER_SECOND:.0f}/s: {_lost(measured) + _lost(last)} of"
        f" {measured.asked + last.asked:,} requests dropped, {answered - logged} of {answered:,} lists lost;"
        f" {len(used)} bundles answered; p99 {measured.quantiles(0.99)[0]:.1f} ms"
    )


def print_redis(home: Home, users: list[str], folder: Path) -> None:
    """Kill Redis under load and start it again: who was answered, and how soon with the users' rows."""
    port = free_port()
    (home.root / "online_url").write_text(f"redis://127.0.0.1:{port}/0")
    chosen = current_set(home.features)
    redis = _redis(folder, port)
    with open_client(home, chosen) as client:
        write_newest(client, chosen)
        advance_clock(client, chosen)
    back: list[float] = []
    servers = [redis]

    def die() -> None:
        subprocess.run(
            [binary_of("redis-cli", package="redis-tools"), "-p", str(port), "save"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        redis.kill()
        time.sleep(5)
        servers.append(_redis(folder, port))
        back.append(time.perf_counter())

    with served(home) as (at, _):
        dying = threading.Timer(5.0, die)
        dying.start()
        measured = open_loop(at, _requests(users), at_random(PER_SECOND, 20))
        dying.join()
    for server in servers:
        server.kill()
        server.wait()
    fallbacks = [json.loads(body)["fallback"] for body in measured.bodies]
    late = [moment for moment, name in zip(measured.moments, fallbacks, strict=True) if name and moment > back[0]]
    recovered = max(late, default=back[0]) - back[0]
    print(
        f"Redis killed for 5 s under {PER_SECOND:.0f}/s: {measured.answered:,} of {measured.asked:,} answered, of these"
        f" {sum(map(bool, fallbacks)):,} by a fallback; good again {recovered:.1f} s after its start (at most 5);"
        f" p99 {measured.quantiles(0.99)[0]:.1f} ms, max {max(measured.milliseconds):.0f} ms"
    )


def _requests(users: list[str]) -> Iterator[bytes]:
    return (post("/v1/recommend", {"user_id": random.choice(users)}) for _ in itertools.count())


def _lost(found: Answers) -> int:
    return found.asked - found.answered


@contextmanager
def _every(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    """Do something again and again beside what is done within."""
    done = threading.Event()

    def follow() -> None:
        while not done.wait(seconds):
            act()

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _redis(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    words = [binary_of("redis-server", package="redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
    server = subprocess.Popen([*words, "--dir", str(folder), "--save", ""], stdout=subprocess.DEVNULL)
    while subprocess.run(["redis-cli", "-p", str(port), "ping"], capture_output=True).stdout != b"PONG\n":
        time.sleep(0.05)
    return server


if __name__ == "__main__":
    main()
