"""Feature build against itself: events x 1, x 4, x 16 (users replicated), time per event and peak memory.

Run with ``python -m tests.benchmarks.features``; each size runs in a process of its own.
"""

import resource
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from components.contracts.tables import EVENTS
from components.home.layout import Home
from tests.components.features.frames import clean_tables, on

USERS, ITEMS, TRIPS, BASKET = 600, 5_000, 40, 8
DAYS = 200


def replicated_events(copies: int) -> pa.Table:
    """Purchases of ``copies`` times as many users, each copy buying what the first one bought."""
    draw = np.random.default_rng(7)
    rows = USERS * TRIPS * BASKET
    item = np.minimum(draw.zipf(1.3, rows), ITEMS)
    trip = np.repeat(np.arange(USERS * TRIPS), BASKET)
    day = np.repeat(draw.uniform(0, DAYS, USERS * TRIPS), BASKET)
    base = np.datetime64(on(0).replace(tzinfo=None), "us")
    moment = pa.array(base + (day * 86_400_000_000).astype("timedelta64[us]")).cast(EVENTS.field("event_time").type)
    tables = []
    for copy in range(copies):
        columns = {
            "event_id": [f"{copy}-{row}" for row in range(rows)],
            **dict.fromkeys(("event_time", "available_at", "ingested_at"), moment),
            "user_id": [f"u{copy}-{one}" for one in trip // TRIPS],
            "item_id": [f"i{one}" for one in item],
            "event_type": ["purchase"] * rows,
            "session_id": [f"s{copy}-{one}" for one in trip],
        }
        tables.append(
            pa.table({name: columns.get(name, pa.nulls(rows, EVENTS.field(name).type)) for name in EVENTS.names})
        )
    return pa.concat_tables(tables, promote_options="permissive").cast(EVENTS)


def measure(copies: int) -> str:
    """Build seven snapshots of replicated users; return seconds per million events and peak memory."""
    from components.build_features.snapshots import build_features
    from tests.components.build_features.homes import quiet, small_shop, write_clean

    with TemporaryDirectory() as folder:
        home = Home(Path(folder))
        events = replicated_events(copies)
        tables = {**clean_tables([], codes=[f"i{one}" for one in range(1, ITEMS + 1)]), "events": events}
        clean = write_clean(home, tables, on(0) + timedelta(days=DAYS))
        started = time.perf_counter()
        build_features(small_shop(), home, clean, quiet)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    per_million = seconds / len(events) * 1e6
    return f"x {copies:2}: {len(events):9,} events {seconds:7.1f} s {per_million:7.1f} s a million {peak:7,.0f} MB peak"


def main() -> None:
    """Measure each size in a fresh process."""
    if len(sys.argv) > 1:
        print(measure(int(sys.argv[1])))
        return
    for copies in (1, 4, 16):
        subprocess.run([sys.executable, "-W", "ignore", "-m", "tests.benchmarks.features", str(copies)], check=True)


if __name__ == "__main__":
    main()
