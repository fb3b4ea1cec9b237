"""The lock of a home in a bucket: a lease of the run, which each step renews while it works."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from components.contracts.errors import ConfigurationError, HomeBusyError
from components.home.runs.holder import LockHolder
from components.home.storage.lease import SECONDS, lease_holder, resume_lease, take_lease
from components.home.storage.locations import BucketPath

SECONDS_VARIABLE = "RANKLOOP_LEASE_SECONDS"
ALONE_SECONDS = 150.0  # for work that is one process: it outlasts a write that a busy store delays by a minute
LEAST_SECONDS = 10.0  # less than ALONE_SECONDS is for tests


class LeaseLock:
    """The lease ``lease.json`` of a home; nobody but the run that has it can renew it."""

    def __init__(self, root: BucketPath) -> None:
        self._location = root / "lease.json"

    def acquire(self, run_id: str) -> None:
        """Take the lease for the run, or go on with it where its runner has taken it."""
        take_lease(self._location, run_id, lease_seconds())

    @contextmanager
    def hold(self, run_id: str) -> Iterator[None]:
        """Renew the lease while the step works, and once more at its end."""
        lease = resume_lease(self._location, run_id)
        with lease.kept_alive():
            yield
        lease.renew()

    def release(self, run_id: str) -> None:
        """Give the lease up, if the run still has it."""
        with suppress(HomeBusyError):
            resume_lease(self._location, run_id).release()

    @contextmanager
    def hold_alone(self, name: str) -> Iterator[None]:
        """Take the lease, renew it while the work goes on, and give it up; the steps of a run renew it too."""
        lease = take_lease(self._location, name, min(lease_seconds(), ALONE_SECONDS), alone=True)
        try:
            with lease.kept_alive():
                yield
        finally:
            lease.release()

    def holder(self) -> LockHolder | None:
        """Return which run has the lease now, if any has."""
        document = lease_holder(self._location)
        return LockHolder(0, document.run_id) if document else None


def lease_seconds() -> float:
    """Return how long a lease lasts without a renewal: ``RANKLOOP_LEASE_SECONDS``, else half an hour.

    Raises:
        ConfigurationError: it is no number of seconds, or too small a one.
    """
    text = os.environ.get(SECONDS_VARIABLE)
    try:
        seconds = float(text) if text else SECONDS
    except ValueError:
        seconds = 0.0
    if not LEAST_SECONDS <= seconds <= 86400:
        raise ConfigurationError(
            f"{SECONDS_VARIABLE}: found {text!r}, expected seconds from {LEAST_SECONDS:.0f} to 86400, such as 1800"
        )
    return seconds
