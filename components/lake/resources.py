"""What memory and processors this process may use: the container's limits where there are some, else the machine's."""

import os
import re
from math import ceil

from components.contracts.errors import ConfigurationError
from components.home.control_groups import group_limits, machine_memory, memory_limit

MEMORY_VARIABLE, THREADS_VARIABLE = "RANKLOOP_ENGINE_MEMORY", "RANKLOOP_ENGINE_THREADS"
ENGINE_SHARE = 0.5  # of the memory: the rest is for Python, Arrow and what the system caches of files
SMALL_SHARE = 0.5  # of an engine's memory, for one that works beside another in the same process
MINIMUM_BYTES = 100_000_000  # below it no engine works
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
    return memory_limit() or machine_memory()


def usable_processors() -> int:
    """Return the processors that this process may run on, or fewer if a quota of time allows for less, rounded up."""
    has_affinity = hasattr(os, "sched_getaffinity")  # macOS has none
    processors = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quotas = [
        re.fullmatch(r"([0-9]+) ([1-9][0-9]*)", text) for text in group_limits("cpu", "cpu.max", "cpu.cfs_quota_us")
    ]
    shares = [int(quota[1]) / int(quota[2]) for quota in quotas if quota]
    return max(1, min([processors, *map(ceil, shares)]))
