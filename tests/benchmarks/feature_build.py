"""Feature build of the demo with eight times as many users, which buy as the demo's own do: 11.75 million events.

Run with ``python -m tests.benchmarks.feature_build`` beside a home of the demo (``.rankloop``, or RANKLOOP_BENCH_HOME).
The build runs in a process of its own. As root on Linux with control groups of version 1, ``--memory 4GiB --cores 1``
puts that process into a group with these limits, as a container has them; the lake is written outside of it.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc

from components.contracts.handles import Handle
from components.home.layout import Home
from components.home.runs.records import list_runs
from components.home.runs.step_records import read_records
from components.lake.tables import append_rows, create_table, open_table, table_version
from tests.benchmarks.harness.served import measured_home

COPIES = 8
GROUPS = Path("/sys/fs/cgroup")
BY_USER = ("events", "impressions", "users")


def main() -> None:
    """Write the lake, then measure the build."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--memory", help="limit of the building process, such as 4GiB")
    arguments.add_argument("--cores", type=float, help="processors of the building process, such as 1")
    arguments.add_argument("--build", metavar="HOME", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.build:
        print(built(Home(Path(chosen.build))))
        return
    with TemporaryDirectory() as folder:
        events = write_lake(Home(measured_home()), Home(Path(folder)))
        print(f"{events:,} events", flush=True)
        with limited(chosen.memory, chosen.cores) as enter:
            command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.feature_build", "--build", folder]
            subprocess.run(command, check=True, preexec_fn=enter)


def clean_handle(home: Home) -> Handle:
    """Return the clean tables that the last training run of a home read."""
    done = next(run for run in list_runs(home) if (run.pipeline, run.state) == ("training", "done"))
    return read_records(home.run(done.run_id))["validate_events"].handles["clean"]


def write_lake(demo: Home, home: Home) -> int:
    """Write the demo's clean tables with every user several times; return the number of events."""
    handle = clean_handle(demo)
    for name, version in handle.versions.items():
        table = open_table(demo.table_path("clean", name), version)
        if table is None or name == "quarantine":
            continue
        rows = pa.table(table.to_pyarrow_table())
        create_table(home.clean / name, rows.schema)
        for copy in range(COPIES if name in BY_USER else 1):
            append_rows(home.clean / name, renamed(rows, copy), {})
    (home.root / "as_of").write_text(str(handle.as_of))
    return len(pa.table(open_table(home.clean / "events").to_pyarrow_table(columns=["user_id"])))  # type: ignore[union-attr]


def renamed(rows: pa.Table, copy: int) -> pa.Table:
    """Return rows whose users and own ids are others than in each other copy."""
    for name in ("user_id", "event_id", "session_id", "request_id"):
        if copy and name in rows.column_names:
            place = rows.column_names.index(name)
            ids = pc.binary_join_element_wise(rows[name], f"-{copy}", "")
            rows = rows.set_column(place, rows.schema.field(name), ids.cast(rows.schema.field(name).type))
    return rows


def built(home: Home) -> str:
    """Build the snapshots; return seconds, peak memory and what was written to disk."""
    from components.build_features.snapshots import build_features
    from components.lake.resources import engine_memory, engine_threads
    from components.shop.settings import load_shop
    from pipelines.paths import DEFAULT_SHOP

    names = [folder.name for folder in home.clean.iterdir()]  # type: ignore[union-attr]
    versions = {name: table_version(home.clean / name) or 0 for name in names}
    clean = Handle("clean", str(home.clean), versions, as_of=(home.root / "as_of").read_text())  # type: ignore[union-attr]
    before, began = written_bytes(), time.perf_counter()
    build_features(load_shop(DEFAULT_SHOP), home, clean, lambda _: None)
    seconds, written = time.perf_counter() - began, written_bytes() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return (
        f"{seconds:.1f} s, {peak:.1f} GB peak, {written / 1e9:.2f} GB written; "
        f"the engine had {engine_memory() / 1e9:.1f} GB and {engine_threads()} threads"
    )


def written_bytes() -> int:
    """Return the bytes that this process has handed to the disk so far."""
    text = Path("/proc/self/io").read_text()
    return int(re.search(r"^write_bytes: (\d+)$", text, re.MULTILINE)[1])  # type: ignore[index]


@contextmanager
def limited(memory: str | None, cores: float | None) -> Iterator[Callable[[], None] | None]:
    """Make control groups with limits, and yield what puts a process into them."""
    limits = {}
    if memory:
        limits["memory"] = {"memory.limit_in_bytes": str(int(memory.removesuffix("GiB")) << 30)}
    if cores:
        limits["cpu"] = {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": str(int(cores * 100_000))}
    groups = [GROUPS / controller / f"feature-build-{os.getpid()}" for controller in limits]
    for group, files in zip(groups, limits.values(), strict=True):
        group.mkdir()
        for name, value in files.items():
            (group / name).write_text(value)
    try:
        yield partial(_enter, groups) if groups else None
    finally:
        for group in groups:
            group.rmdir()


def _enter(groups: list[Path]) -> None:
    for group in groups:
        (group / "cgroup.procs").write_text(str(os.getpid()))


if __name__ == "__main__":
    main()
