"""How long a restart takes that restores the sessions of many users from the journal, beside one with an empty journal.

Run with ``python -m tests.benchmarks.restart``; homes and cores as in ``tests.benchmarks.serving``. With
``--other FOLDER``, a clone of another revision with its own ``.venv``, that one is started in turn with this one.
"""

import argparse
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pyarrow.parquet as pq

from components.features.snapshots.sets import current_set
from components.feedback.segments.layout import FeedbackLayout
from components.feedback.segments.records import ServedEvent, event_line
from components.home.layout import Home
from tests.benchmarks.harness.served import LOAD_CORE, ROOT, SERVER_CORE, demo_home
from tests.servers import free_port

RUNS = 3
EVENTS_EACH = 3
SEGMENT_EVENTS = 50_000
LOOK_SECONDS = 0.02
KINDS = ("view", "add_to_cart", "purchase")


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--users", type=int, nargs="+", default=[0, 25_000, 50_000, 100_000])
    arguments.add_argument("--other", type=Path, help="a clone of another revision")
    arguments.add_argument("--patience", type=float, default=120.0, help="seconds for a start")
    chosen = arguments.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    folders = [ROOT, chosen.other] if chosen.other else [ROOT]
    with TemporaryDirectory() as folder:
        home = demo_home(Path(folder))
        for users in chosen.users:
            for root in folders:
                taken = [started(root, home, users, chosen.patience) for _ in range(RUNS)]
                print(f"{users:>7,} users, {root.name}: {medians(taken)}", flush=True)


def medians(starts: list[tuple[float, float, float]]) -> str:
    """Return the medians of some starts."""
    alive, ready, held = (sorted(values)[len(values) // 2] for values in zip(*starts, strict=True))
    return f"/livez after {alive:.2f} s, /readyz after {ready:.2f} s, sessions of {held:,.0f} users held"


def started(root: Path, home: Home, users: int, patience: float) -> tuple[float, float, float]:
    """Seconds until the service is alive and until it is ready, and how many sessions it then says that it holds."""
    write_journal(home, users)
    with service(root, home) as port:
        began = time.perf_counter()
        alive = seconds_until(f"http://127.0.0.1:{port}/livez", began, patience)
        ready = seconds_until(f"http://127.0.0.1:{port}/readyz", began, patience)
        return alive, ready, sessions_held(port)


@contextmanager
def service(root: Path, home: Home) -> Iterator[int]:
    """Start the service of a clone on the servers' core, without the words that the command says before."""
    port = free_port()
    command = [root / ".venv/bin/bentoml", "serve", "components.ranking_service.service:RankingService"]
    words = ["taskset", "-c", str(SERVER_CORE), *command, "--host", "127.0.0.1", "--port", str(port)]
    variables = {"RANKLOOP_HOME": str(home.root), "BENTOML_DO_NOT_TRACK": "true", "OTEL_SDK_DISABLED": "true"}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        [*words, "--working-dir", root],
        env=kept | variables,
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(60)


def seconds_until(address: str, began: float, patience: float) -> float:
    """Ask until the answer is 200; infinite where it does not come in time."""
    while (taken := time.perf_counter() - began) < patience:
        try:
            if httpx.get(address, timeout=patience - taken).status_code == 200:
                return time.perf_counter() - began
        except httpx.TransportError:
            pass
        time.sleep(LOOK_SECONDS)
    return float("inf")


def sessions_held(port: int) -> float:
    """What the service says of its sessions; nothing where it does not."""
    try:
        page = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    except httpx.TransportError:
        return float("nan")
    return next((float(line.split()[1]) for line in page.splitlines() if line.startswith("rankloop_sessions ")), 0.0)


def write_journal(home: Home, users: int) -> None:
    """Write a journal in which so many users did three things each within the last hour; forget what the store has."""
    shutil.rmtree(home.feedback, ignore_errors=True)
    folder, items, now = FeedbackLayout(home.feedback).events, item_ids(home), as_of(home)
    folder.mkdir(parents=True)
    numbers = range(users * EVENTS_EACH)
    for start in range(0, len(numbers), SEGMENT_EVENTS):
        lines = b"".join(event_line(event(number, users, items, now)) for number in numbers[start:][:SEGMENT_EVENTS])
        (folder / f"{start:020}-0.jsonl").write_bytes(lines)


def event(number: int, users: int, items: list[str], now: datetime) -> ServedEvent:
    """One event: each user does their first thing, then each the second, and so on."""
    at = now - timedelta(hours=1) + timedelta(hours=1) * number / (users * EVENTS_EACH)
    kind, item = KINDS[number // users], items[number % len(items)]
    return ServedEvent(f"e{number:07}", at, datetime.now(UTC), kind, f"visitor-{number % users:06}", item, taken_at=at)


def as_of(home: Home) -> datetime:
    """The moment that the home stands at."""
    newest = _newest(home, "item_features")
    found: datetime = pq.read_table(newest, columns=["event_timestamp"], partitioning=None)[0][0].as_py()
    return found


def item_ids(home: Home) -> list[str]:
    """Ids of all items."""
    table = pq.read_table(_newest(home, "item_features"), columns=["item_id"], partitioning=None)
    values: list[str] = table["item_id"].to_pylist()
    return values


def _newest(home: Home, view: str) -> Path:
    return current_set(home.features).newest(view)


if __name__ == "__main__":
    main()
