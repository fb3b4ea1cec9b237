"""This checkout beside an earlier revision, in turn: whole runs on the demo shop, then lists of two services.

Run with ``python -m tests.benchmarks.revisions REVISION``; the revision gets a worktree and an environment of its own.
Both services answer the same users on one core, one request each in turn.
"""

import argparse
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from components.home.layout import Home
from tests.benchmarks.harness.served import LOAD_CORE, ONE_CALLER, ROOT, running, users_of
from tests.servers import free_port

WARM_UP = 200
Checkouts = dict[str, Path]


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("revision", nargs="?", default="HEAD~1", help="HEAD~1 if it is not given")
    arguments.add_argument("--runs", type=int, default=2, help="of each revision")
    arguments.add_argument("--requests", type=int, default=6000, help="of each revision")
    chosen = arguments.parse_args()
    with TemporaryDirectory() as folder, checkout(chosen.revision, Path(folder) / "before") as before:
        checkouts = {"now": ROOT, chosen.revision: before}
        homes = compare_runs(checkouts, Path(folder), chosen.runs)
        compare_lists(checkouts, homes, chosen.requests)


@contextmanager
def checkout(revision: str, folder: Path) -> Iterator[Path]:
    """Check a revision out beside this one, with its environment."""
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", folder, revision], check=True)
    try:
        subprocess.run(["make", "--quiet", "setup"], cwd=folder, check=True, stdout=sys.stderr)
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", folder], check=True)


def compare_runs(checkouts: Checkouts, folder: Path, runs: int) -> dict[str, Home]:
    """Print the seconds of whole runs in new homes, and their bundles; return the last home of each revision."""
    homes, seconds = {}, dict[str, list[float]]()
    for turn in range(runs):
        for name, root in checkouts.items():
            homes[name] = Home(folder / f"{len(homes)}-{turn}")
            began = time.perf_counter()
            run = [root / ".venv/bin/rankloop", "run", "--home", homes[name].root, "--json"]
            ended = subprocess.run(run, cwd=root, env=environment(), check=True, capture_output=True)
            seconds.setdefault(name, []).append(time.perf_counter() - began)
            digest = json.loads(ended.stdout)["bundle"]["digest"]
            print(f"{name:>12}  whole run {seconds[name][-1]:6.1f} s  {digest}", flush=True)
    now, before = (sum(each) for each in seconds.values())
    print(f"whole run: {now / before:.2f} times the revision before")
    return homes


def compare_lists(checkouts: Checkouts, homes: dict[str, Home], requests: int) -> None:
    """Print quantiles of the time of an answer."""
    os.sched_setaffinity(0, {LOAD_CORE})
    draw = random.Random(3)
    users = users_of(homes["now"])
    with ExitStack() as servers:
        clients = {}
        for name, root in checkouts.items():
            port = free_port()
            serve = [root / ".venv/bin/rankloop", "serve", "--home", homes[name].root, "--port", str(port)]
            servers.enter_context(running(serve, port, ONE_CALLER, root))
            clients[name] = http.client.HTTPConnection("127.0.0.1", port)
        waits: dict[str, list[float]] = {name: [] for name in clients}
        for number in range(WARM_UP + requests):
            user = draw.choice(users)
            for name in sorted(clients, reverse=number % 2 == 0):
                took = seconds_of_a_list(clients[name], user)
                if number >= WARM_UP:
                    waits[name].append(took * 1e3)
    quantiles = {name: (statistics.median(each), statistics.quantiles(each, n=100)[98]) for name, each in waits.items()}
    for name, (p50, p99) in quantiles.items():
        print(f"{name:>12}  /v1/recommend p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    (p50, p99), (p50_before, p99_before) = quantiles.values()
    print(f"/v1/recommend: p50 {p50 / p50_before:.3f} times, p99 {p99 / p99_before:.3f} times the revision before")


def seconds_of_a_list(client: http.client.HTTPConnection, user: str) -> float:
    """Ask for one list; return how long the answer took."""
    began = time.perf_counter()
    client.request("POST", "/v1/recommend", json.dumps({"user_id": user}), {"content-type": "application/json"})
    answer = client.getresponse().read()
    assert b'"fallback":null' in answer, answer
    return time.perf_counter() - began


def environment() -> dict[str, str]:
    """Return this process's variables, but for the one that keeps a checkout from storing its bytecode."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


if __name__ == "__main__":
    main()
