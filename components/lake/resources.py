"""What memory and processors this process may use: the container's limits where there are some, else the machine's.

Both versions of Linux control groups are read; a limit of any group above this process's own holds too.
"""

import os
import re
from collections.abc import Iterator
from math import ceil
from pathlib import Path

from components.contracts.errors import ConfigurationError

MEMORY_VARIABLE, THREADS_VARIABLE = "RANKLOOP_ENGINE_MEMORY", "RANKLOOP_ENGINE_THREADS"
ENGINE_SHARE = 0.5  # of the memory: the rest is for Python, Arrow and what the system caches of files
SMALL_SHARE = 0.5  # of an engine's memory, for one that works beside another in the same process
MINIMUM_BYTES = 100_000_000  # below it no engine works
GROUPS, OWN_GROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
UNITS = {"MB": 10**6, "GB": 10**9, "MIB": 2**20, "GIB": 2**30}


def engine_memory() -> int:
    """Return the bytes that an engine may use: RANKLOOP_ENGINE_MEMORY, else half of what this process may.

    Raises:
        ConfigurationError: the variable holds no size, or it is too small to work with.
    """
    setting = os.environ.get(MEMORY_VARIABLE, "").strip()
    if not setting:
        return int(ENGINE_SHARE * usable_memory())
    size = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]+)?)\s*([a-z]+)", setting, re.IGNORECASE)
    unit = UNITS.get(size[2].upper()) if size else None
    memory = int(float(size[1]) * unit) if size and unit else 0
    if memory < MINIMUM_BYTES:
        raise ConfigurationError(
            f"{MEMORY_VARIABLE}: found {setting!r}, expected a size of at least 100MB, such as 6GB or 800MB"
        )
    return memory


def check_settings() -> None:
    """Check the engine's variables, so that a wrong value ends a run before its first step.

    Raises:
        ConfigurationError: a variable holds no size, or no number of threads.
    """
    engine_memory()
    engine_threads()


def small_memory() -> str:
    """Return the memory of an engine that works beside another in the same process, as DuckDB reads it."""
    return f"{int(SMALL_SHARE * engine_memory())}B"


def engine_threads() -> int:
    """Return how many threads an engine starts: RANKLOOP_ENGINE_THREADS, else one for each usable processor.

    Raises:
        ConfigurationError: the variable holds no number above 0.
    """
    setting = os.environ.get(THREADS_VARIABLE, "").strip()
    if not setting:
        return usable_processors()
    if not re.fullmatch(r"[1-9][0-9]{0,3}", setting):
        raise ConfigurationError(f"{THREADS_VARIABLE}: found {setting!r}, expected a whole number from 1 to 9999")
    return int(setting)


def usable_memory() -> int:
    """Return bytes: the smallest limit of this process's control groups, or the machine's memory."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [int(text) for text in _limits("memory", "memory.max", "memory.limit_in_bytes") if text.isdecimal()]
    return min([machine, *limits])


def usable_processors() -> int:
    """Return the processors that this process may run on, or fewer if a quota of time allows for less, rounded up."""
    has_affinity = hasattr(os, "sched_getaffinity")  # macOS has none
    processors = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quotas = [re.fullmatch(r"([0-9]+) ([1-9][0-9]*)", text) for text in _limits("cpu", "cpu.max", "cpu.cfs_quota_us")]
    shares = [int(quota[1]) / int(quota[2]) for quota in quotas if quota]
    return max(1, min([processors, *map(ceil, shares)]))


def _limits(controller: str, file: str, older_file: str) -> Iterator[str]:
    """Yield the limits of this process's control group and of those above; ``file`` is the name in version 2."""
    try:
        groups = [line.split(":", 2) for line in OWN_GROUP.read_text().splitlines()]
    except OSError:  # no Linux
        return
    for _, controllers, path in groups:
        if controllers and controller not in controllers.split(","):
            continue
        root = _root(controller, controllers)
        for folder in (root / path.lstrip("/"), *(root / path.lstrip("/")).parents):
            if folder.is_relative_to(root):
                yield from _read(folder, file if not controllers else older_file)


def _root(controller: str, controllers: str) -> Path:
    """Return where a hierarchy is mounted: version 1 has a folder or a link for each controller, in any order."""
    if not controllers:
        return GROUPS
    return GROUPS / controller if (GROUPS / controller).exists() else GROUPS / controllers


def _read(folder: Path, file: str) -> Iterator[str]:
    try:
        text = (folder / file).read_text().strip()
        period = (folder / "cpu.cfs_period_us").read_text().strip() if file == "cpu.cfs_quota_us" else ""
    except OSError:
        return
    yield f"{text} {period}".strip()
