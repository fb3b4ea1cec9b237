"""What Linux control groups leave to this process: the limits of its container, if it runs in one.

Both versions of control groups are read; a limit of any group above this process's own holds too.
"""

import os
from collections.abc import Iterator
from pathlib import Path

GROUPS, OWN_GROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def machine_memory() -> int:
    """Return the bytes of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def memory_limit() -> int | None:
    """Return the bytes that this process may use; None: all of the machine's."""
    limits = [int(text) for text in group_limits("memory", "memory.max", "memory.limit_in_bytes") if text.isdecimal()]
    return min((limit for limit in limits if limit < machine_memory()), default=None)


def group_limits(controller: str, file: str, older_file: str) -> Iterator[str]:
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
