"""``/v1/recommend`` on the demo shop: beside bare routes with the same model, beside Feast's reads, under open load.

First as the demo's bundle is, and then with 300 candidates a user in the mean: the same model, more popular items.
Run with ``python -m tests.benchmarks.serving``; the server has one core, the load generator the other. The demo's home
is ``.rankloop``, or the one that RANKLOOP_BENCH_HOME names.
"""

import argparse
import itertools
import os
import random
import subprocess
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from components.bundles.batch import open_batch
from components.bundles.promotion import named_bundle, promote
from components.features.snapshots.sets import current_set
from components.home.layout import Home
from components.shop.settings import Candidates
from tests.benchmarks.harness.load import Moments, at_random, busy_loop, closed_loop, evenly, open_loop, post
from tests.benchmarks.harness.served import (
    BIN,
    BY_BUNDLE,
    BY_LIBRARY,
    LOAD_CORE,
    SERVER_CORE,
    demo_home,
    memory_mb,
    running,
    served,
    users_of,
)
from tests.benchmarks.harness.standstill import in_words, undisturbed, witnessed
from tests.benchmarks.harness.variants import SHOP, mean_candidates, publish_widened
from tests.servers import free_port

OURS = "/v1/recommend"
CANDIDATES = 300
RUNS = 5  # of ours and the bare route in turn
WARM_UP = 300
LOAD = 0.7  # of what one core answers, in open loop
Process = subprocess.Popen[bytes]


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--requests", type=int, default=100_000, help="for the tail")
    arguments.add_argument("--seconds", type=float, default=300.0, help="of open load")
    chosen = arguments.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    with TemporaryDirectory() as folder:
        home = demo_home(Path(folder))
        users = users_of(home)
        print_as_it_is(home, users, chosen.requests // 10)
        print_widened(home, users, chosen.requests, chosen.seconds)


def print_as_it_is(home: Home, users: list[str], requests: int) -> None:
    """Measure the demo's own bundle."""
    print_candidates(home)
    print_beside_bare(home, users)
    with served(home) as (port, _):
        print_tail(port, users, requests)
        print_throughput(port, users)


def print_widened(home: Home, users: list[str], requests: int, seconds: float) -> None:
    """Measure with as many candidates as a larger shop would have."""
    bundle = publish_widened(home, CANDIDATES)
    promote(home, SHOP, bundle.digest, "local", datetime.now(UTC).isoformat())
    print_candidates(home)
    print_beside_bare(home, users)
    with served(home) as (port, process):
        print_tail(port, users, requests)
        capacity = print_throughput(port, users)
        for pace, moments in (("even", evenly), ("random", at_random)):
            due = moments(LOAD * capacity, seconds)
            print_open_load(port, process, users, pace, due, capacity)
        print_beside_feast(home, users, port)


def print_candidates(home: Home) -> None:
    """Say how many candidates a list is chosen from."""
    batch = open_batch(named_bundle(home, SHOP, "champion"), current_set(home.features))
    mean = mean_candidates(batch, Candidates(**batch.bundle.manifest.candidates))
    print(f"{mean:.0f} candidates in the mean")


def lists_of(users: list[str], many: int, seed: int = 1, path: str = OURS) -> list[bytes]:
    """Requests for the lists of users chosen at random."""
    return [post(path, {"user_id": user}) for user in random.Random(seed).choices(users, k=many)]


def print_beside_bare(home: Home, users: list[str]) -> None:
    """One client, ours and the bare routes in turn: medians of each run."""
    bare_port = free_port()
    words: list[str | Path] = [
        BIN / "uvicorn",
        "tests.benchmarks.harness.bare_route:app",
        "--port",
        str(bare_port),
        "--no-access-log",
    ]
    variables = {"RANKLOOP_HOME": str(home.root), "RANKLOOP_SHOP": SHOP}
    with served(home) as (port, _), running([*words, "--log-level", "error"], bare_port, variables):
        routes = ((port, OURS), (bare_port, BY_LIBRARY), (bare_port, BY_BUNDLE))
        runs = [
            [closed_loop(at, lists_of(users, 1000, seed, path)).quantiles(0.5, 0.99) for at, path in routes]
            for seed in range(RUNS + 1)
        ]
    ours, *bare = np.median(runs[1:], axis=0)
    print(f"one client: p50 {ours[0]:.2f} ms, p99 {ours[1]:.2f} ms")
    for call, (p50, p99) in zip(("XGBoost's own call (at most 2.5)", "the bundle's faster call"), bare, strict=True):
        print(f"  {ours[0] / p50:.2f} times a bare route by {call}: p50 {p50:.2f} ms, p99 {p99:.2f} ms")


def print_tail(port: int, users: list[str], requests: int) -> None:
    """Many requests of one client: the slowest of them, and of those during which the machine did not stand still."""
    closed_loop(port, lists_of(users, WARM_UP))
    with witnessed((SERVER_CORE, LOAD_CORE)) as standstills:
        measured = closed_loop(port, lists_of(users, requests))
    p50, p99, p999 = measured.quantiles(0.5, 0.99, 0.999)
    print(
        f"{requests:,} requests: p50 {p50:.2f} (at most 3), p99 {p99:.2f} (at most 6), p99.9 {p999:.2f},"
        f" max {max(measured.milliseconds):.1f} ms (at most 50); {measured.answered:,} answered"
    )
    calm = undisturbed(measured, standstills)
    print(f"  {in_words(standstills)}, during {requests - len(calm)} of them; max of the others {max(calm):.1f} ms")


def print_throughput(port: int, users: list[str]) -> float:
    """Requests a second that one core answers."""
    found, per_second = busy_loop(port, lists_of(users, 4000))
    print(f"8 clients: {per_second:.0f} requests/s on one core (at least 400); statuses {dict(found.statuses)}")
    return per_second


def print_open_load(port: int, process: Process, users: list[str], pace: str, due: Moments, capacity: float) -> None:
    """Requests at given moments, at a share of what can be answered, beside the ideal queue."""
    before = memory_mb(process)
    with witnessed((SERVER_CORE, LOAD_CORE)) as standstills:
        measured = open_loop(port, itertools.cycle(lists_of(users, 5000)), due)
    p50, p99 = measured.quantiles(0.5, 0.99)
    ideal_p50, ideal_p99 = np.quantile(ideal_waits(due, 1 / capacity) * 1e3, (0.5, 0.99))
    print(
        f"open load of {LOAD:.0%}, {pace} pace, {len(due) / due[-1]:.0f}/s for {due[-1]:.0f} s: p50 {p50:.2f} ms,"
        f" p99 {p99:.2f} ms, {p99 / p50:.1f} times (at most 3; {ideal_p99 / ideal_p50:.1f} if every answer took"
        f" {1e3 / capacity:.2f} ms); {measured.asked - measured.answered} of {measured.asked:,} not answered;"
        f" memory {before:.0f} to {memory_mb(process):.0f} MB; {in_words(standstills)}"
    )


def ideal_waits(due: Moments, service_seconds: float) -> Moments:
    """Latencies of one server that answers each request in the same time, in the order in which they come.

    By Lindley's recursion: a request ends one service after it came, or after the one before it ended.
    """
    served = np.arange(1, len(due) + 1) * service_seconds
    ends: Moments = np.maximum.accumulate(due - served + service_seconds) + served
    return ends - due


def print_beside_feast(home: Home, users: list[str], port: int) -> None:
    """An answer for which Feast reads the rows of a user and 300 candidates, beside ours."""
    from feature_repo.feast_import import import_feast

    import_feast()
    from feast import FeatureStore

    store = FeatureStore(fs_yaml_file=home.feature_store / "feature_store.yaml")
    views = {view.name: [f"{view.name}:{field.name}" for field in view.features] for view in store.list_feature_views()}
    items = [str(item) for item in _items(home)[:300]]
    taken = []
    for user in users[:12]:
        began = time.perf_counter()
        store.get_online_features(views["user_features"], [{"user_id": user}])
        store.get_online_features(views["item_features"], [{"item_id": item} for item in items])
        taken.append((time.perf_counter() - began) * 1e3)
    feast = float(np.median(taken[2:]))
    ours = closed_loop(port, lists_of(users, 500)).quantiles(0.5)[0]
    with_feast = ours - mean_stage(port, "features") + feast
    print(
        f"Feast's reads of one user and 300 items {feast:.1f} ms; an answer with them in place of ours"
        f" {with_feast:.1f} ms, {with_feast / ours:.1f} times ours (at least 10)"
    )


def mean_stage(port: int, stage: str) -> float:
    """The mean time of a stage of the service's answers since its start, in milliseconds; of its only arm."""
    page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    found = {
        sample.name.rpartition("_")[2]: sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if family.name == "rankloop_stage_duration_seconds" and sample.labels["stage"] == stage
    }
    return 1e3 * found["sum"] / found["count"]


def _items(home: Home) -> list[str]:
    import pyarrow.parquet as pq

    newest = current_set(home.features).newest("item_features")
    values: list[str] = pq.read_table(newest, columns=["item_id"], partitioning=None)["item_id"].to_pylist()
    return values


if __name__ == "__main__":
    main()
