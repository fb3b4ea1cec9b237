"""A home of the demo shop, and servers on a core of their own."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow.parquet as pq

from components.features.snapshots.sets import current_set
from components.home.layout import Home
from tests.servers import free_port

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
SERVER_CORE, LOAD_CORE = 0, 1
KEPT = ("environments", "feature_store", "features", "lake", "models", "online")
PATIENCE_SECONDS = 120
ONE_CALLER = {"RANKLOOP_REQUESTS_PER_SECOND": "1000000", "RANKLOOP_REQUESTS_AT_ONCE": "1000000"}  # may ask for all
BY_LIBRARY, BY_BUNDLE = "/by_library", "/by_bundle"  # paths of the bare routes


def measured_home() -> Path:
    """The home that RANKLOOP_BENCH_HOME names, as it is; else ``.rankloop``, brought up to date."""
    named = os.environ.get("RANKLOOP_BENCH_HOME")
    if named is None:
        subprocess.run([BIN / "rankloop", "run", "--json"], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    return Path(named or ROOT / ".rankloop").resolve()


def demo_home(folder: Path) -> Home:
    """A copy of the measured home."""
    source = measured_home()
    home = folder / "home"
    home.mkdir()
    for part in KEPT:
        shutil.copytree(source / part, home / part, copy_function=os.link)
    shutil.copytree(source / "online", home / "online", dirs_exist_ok=True, copy_function=_copied)
    shutil.copyfile(source / "shop.json", home / "shop.json")
    return Home(home)


def users_of(home: Home) -> list[str]:
    """Every user with a row."""
    newest = current_set(home.features).newest("user_features")
    return sorted(pq.read_table(newest, columns=["user_id"], partitioning=None)["user_id"].to_pylist())


@contextmanager
def served(home: Home, variables: Mapping[str, str] | None = None) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Run ``rankloop serve`` on the servers' core; give its port and process."""
    port = free_port()
    words = [BIN / "rankloop", "serve", "--home", home.root, "--port", str(port)]
    with running(words, port, ONE_CALLER | dict(variables or {})) as process:
        yield port, process


@contextmanager
def running(
    words: list[str | Path], port: int, variables: Mapping[str, str], root: Path = ROOT
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server of a checkout until it is ready, and stop it in the end."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        ["taskset", "-c", str(SERVER_CORE), *words],
        env=kept | dict(variables),
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until_ready(port)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_SECONDS)


def wait_until_ready(port: int) -> None:
    """Wait for the server's own word."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the server on port {port} did not become ready")


def memory_mb(process: "subprocess.Popen[bytes]") -> float:
    """Memory of a process and its children, in megabytes; what they share counts once."""
    import psutil

    parent, found = psutil.Process(process.pid), 0.0
    for one in [parent, *parent.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # it has just ended
            found += one.memory_full_info().pss / 1e6
    return found


def _copied(source: str, target: str) -> None:
    Path(target).unlink(missing_ok=True)
    shutil.copyfile(source, target)
