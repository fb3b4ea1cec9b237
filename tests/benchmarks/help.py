"""`rankloop --help` beside a bare start of Python."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

STARTS = 15


def main() -> None:
    """Print both medians and their difference."""
    command = median_seconds([str(Path(sys.executable).with_name("rankloop")), "--help"])
    python = median_seconds([sys.executable, "-c", "pass"])
    print(f"rankloop --help {command:.3f} s, bare Python {python:.3f} s, {command - python:.3f} s more (at most 0.3 s)")


def median_seconds(command: list[str]) -> float:
    """Median seconds of some starts, after one that fills the caches."""
    return median([_seconds(command) for _ in range(STARTS + 1)][1:])


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
