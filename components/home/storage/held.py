"""The leases that this process works under, and the check that each write to their homes begins with."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from components.home.storage.locations import BucketPath, Location


class HeldLease(Protocol):
    """What a write asks of the lease that it happens under."""

    @property
    def after_expiry(self) -> bool:
        """Whether the run before let the lease expire, so that it may be paused only."""

    def owns(self, location: BucketPath) -> bool:
        """Say whether a location is the holder's own, so that it may write there even after it lost the lease."""

    def check(self) -> None:
        """Make sure that the run still has the lease.

        Raises:
            HomeBusyError: it went to another run.
        """


_leases: dict[BucketPath, HeldLease] = {}  # by home


@contextmanager
def working_under(home: BucketPath, lease: HeldLease) -> Iterator[None]:
    """Let every write to a home check a lease, while the block runs."""
    before = _leases.get(home)
    _leases[home] = lease
    try:
        yield
    finally:
        del _leases[home]
        if before is not None:
            _leases[home] = before


def check_held(location: Location) -> None:
    """Make sure, before something is written below a home that this process works in under a lease, that it has it.

    Raises:
        HomeBusyError: the lease went to another run.
    """
    if isinstance(location, BucketPath):
        for home, lease in _leases.items():
            if location.is_below(home) and not lease.owns(location):
                lease.check()


def was_taken_over(home: Location) -> bool:
    """Say whether this process works in a home whose last run let its lease expire, and may be paused only."""
    return isinstance(home, BucketPath) and home in _leases and _leases[home].after_expiry
