"""When the machine itself stood still: a virtual machine may be stopped by its host, and every latency in it grows.

A witness on each core sleeps for 2.5 ms again and again, at a real-time priority that no server has: nothing of this
machine can keep it waiting. Run as ``python -m tests.benchmarks.harness.standstill CORE``, it prints a line for each
wait that took twice as long: when it began and when it ended, in seconds of ``time.perf_counter``, which all processes
share.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmarks.harness.load import Answers

NAP_SECONDS = 0.0025
PRIORITY = 50  # of SCHED_FIFO: above everything of the ordinary kind
Standstills = list[tuple[float, float]]


@contextmanager
def witnessed(cores: tuple[int, ...]) -> Iterator[Standstills]:
    """Fill the list with the standstills of any core, each as its first and last moment, when the block is left.

    Raises:
        RuntimeError: a witness could not watch; it has printed why.
    """
    words = [sys.executable, "-m", __spec__.name]
    witnesses = [subprocess.Popen([*words, str(core)], stdout=subprocess.PIPE, text=True) for core in cores]
    found: Standstills = []
    try:
        yield found
    finally:
        for witness in witnesses:
            witness.send_signal(signal.SIGTERM)
            for line in witness.communicate()[0].splitlines():
                began, ended = map(float, line.split())
                found.append((began, ended))
            if witness.returncode != -signal.SIGTERM:
                raise RuntimeError("nobody watched whether the machine stood still")


def undisturbed(found: Answers, standstills: Standstills) -> list[float]:
    """Milliseconds of the answers during which no core stood still; all requests must have been answered."""
    return [
        milliseconds
        for milliseconds, ended in zip(found.milliseconds, found.moments, strict=True)
        if not any(first < ended and last > ended - milliseconds / 1e3 for first, last in standstills)
    ]


def in_words(standstills: Standstills) -> str:
    """Say how often the machine stood still, and for how long."""
    longest = max((last - first for first, last in standstills), default=0.0) * 1e3
    return f"the machine stood still {len(standstills)} times, for up to {longest:.1f} ms"


def watch(core: int) -> None:
    """Print the standstills of a core for ever."""
    os.sched_setaffinity(0, {core})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except PermissionError:
        sys.exit(f"A real-time priority of {PRIORITY} is refused: run as root, or raise `ulimit -r` to it.")
    woken = time.perf_counter()
    while True:
        slept, woken = woken, _woken_after(NAP_SECONDS)
        if woken - slept > 2 * NAP_SECONDS:
            print(slept, woken, flush=True)


def _woken_after(seconds: float) -> float:
    time.sleep(seconds)
    return time.perf_counter()


if __name__ == "__main__":
    watch(int(sys.argv[1]))
