"""Who holds the lock of a home."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LockHolder:
    """Who holds, or last held, a home's lock; ``pid`` is a process of this machine, 0 where that is not known."""

    pid: int
    run_id: str
