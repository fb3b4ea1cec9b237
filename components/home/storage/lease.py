"""The lock of a home in a bucket: a lease that belongs to a run, not to a process.

The lease is a small document that says who holds it and for how long; it is taken, renewed and given up by
compare-and-swap. Whether it may be taken is decided by the server's clock alone: the time at which the server wrote the
lease, beside the time at which it wrote a probe just now. Clocks of machines may differ by any amount.

A holder goes by a clock of its machine that nobody sets, from before its last renewal. It renews the lease when less is
left than a write may take, so that it stops before others begin. The lease is checked right before each write
(``held.check_held``), of a table after its version was read. A commit is a conditional put itself. A run that takes an
expired lease must commit to every table first (``lake.fencing``): a holder that was paused between check and commit
finds its version taken.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

import obstore

from components.contracts.errors import ConfigurationError, HomeBusyError, StorageError
from components.home.beside import beside
from components.home.storage.bucket import REQUEST_SECONDS, RETRY_SECONDS, readable_errors, store_of
from components.home.storage.documents import put_tagged, read_tagged, write_document
from components.home.storage.held import working_under
from components.home.storage.locations import BucketPath

SECONDS = 1800.0  # pods of a run wait for quota between two steps
ATTEMPTS = 20  # of a compare-and-swap that another step of the same run was faster with
HEARTBEATS = 6  # renewals in the time of a lease
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # goes on while the machine sleeps, where there is one


@dataclass(frozen=True)
class LeaseDocument:
    """Who holds a home, and for how long without a renewal; nobody does where ``run_id`` is empty.

    ``epoch`` grows whenever the lease goes to another run, and never falls back. ``after_expiry``: the run before did
    not give it up, so that it may be paused only.
    """

    run_id: str
    epoch: int
    seconds: float
    nonce: str  # makes each writing another content, and so another entity tag
    after_expiry: bool = False


@dataclass(frozen=True)
class _Written:
    document: LeaseDocument
    tag: str
    at: datetime  # by the server's clock


class Lease:
    """A lease that this process's run holds; threads may share it."""

    def __init__(self, location: BucketPath, document: LeaseDocument, tag: str, since: float) -> None:
        """Hold a lease that was written as ``document``, with an entity tag, after the moment ``since`` by CLOCK."""
        self.location, self.document = location, document
        self._tag, self._since = tag, since
        self._lost: HomeBusyError | None = None
        self._one_at_a_time = threading.RLock()

    @property
    def epoch(self) -> int:
        """Return the number of this holder among all that the home has had."""
        return self.document.epoch

    @property
    def after_expiry(self) -> bool:
        """Say whether the run before let the lease expire."""
        return self.document.after_expiry

    def owns(self, location: BucketPath) -> bool:
        """Say whether a location lies in the folder of the run itself."""
        return location.is_below(self.location.parent / "runs" / self.document.run_id)

    def check(self) -> None:
        """Make sure that the run still holds the home, as right before a write; asks the store only near the end.

        Raises:
            HomeBusyError: another run has the lease, or may have.
        """
        if self._lost is not None:
            raise self._lost
        margin = min(RETRY_SECONDS + REQUEST_SECONDS, self.document.seconds / 2)  # the write that follows may take it
        if _seconds() - self._since > self.document.seconds - margin:
            self.renew()

    def renew(self) -> None:
        """Begin the time of the lease again, if no other run has taken it.

        Raises:
            HomeBusyError: another run has it, or it is gone.
            ConfigurationError, StorageError: the bucket cannot be used.
        """
        with self._one_at_a_time:
            for _ in range(ATTEMPTS):
                since, renewed = _seconds(), _with_nonce(self.document)
                if self._put(renewed, since):
                    return
        raise StorageError(f"{self.location}: other steps of the run renewed it {ATTEMPTS} times in a row; run again")

    def _put(self, document: LeaseDocument, since: float) -> bool:
        """Write the lease if it is the one that this process knows; else learn which one it is, if it is the run's."""
        tag = put_tagged(self.location, _content(document), self._tag)
        if tag is not None:
            self.document, self._tag, self._since = document, tag, since
            return True
        current = _read(self.location)
        if current is None or not _is_of_same_holder(current.document, self.document):
            self._lost = _lost(self.location, self.document, current.document if current else None)
            raise self._lost
        self._tag = current.tag
        return False

    def release(self) -> None:
        """Give the home up, unless another run has it; the epoch is kept for the next one."""
        with suppress(HomeBusyError), self._one_at_a_time:
            self.renew()
            free = replace(_with_nonce(self.document), run_id="", seconds=0.0, after_expiry=False)
            put_tagged(self.location, _content(free), self._tag)

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Renew the lease beside the work of a step, whose writes to the home check it (``held.check_held``).

        A loss is remembered, and said by the next check.
        """
        seconds = self.document.seconds / HEARTBEATS
        with beside(self.renew, seconds, "lease"), working_under(self.location.parent, self):
            yield


def take_lease(location: BucketPath, run_id: str, seconds: float = SECONDS, alone: bool = False) -> Lease:
    """Take the lease of a home for a run, or go on with it where the run has it already, as its later steps do.

    Work that is ``alone`` never goes on with a lease: another process may do work of the same name.

    Raises:
        HomeBusyError: another run has it, and its time has not passed.
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    for _ in range(ATTEMPTS):
        since, current = _seconds(), _read(location)
        is_ours = current is not None and current.document.run_id == run_id and not alone
        if current and not is_ours and not _has_expired(location, current):
            raise HomeBusyError(
                f"home {location.parent}: run {current.document.run_id} is at work in it; wait for it to end, or for"
                f" its lease of {current.document.seconds:.0f} s to pass, or name another --home"
            )
        taken = _with_nonce(_next(current.document if current else None, run_id, seconds, is_ours))
        tag = put_tagged(location, _content(taken), current.tag if current else None)
        if tag is not None:
            return Lease(location, taken, tag, since)
    raise HomeBusyError(f"home {location.parent}: other runs begin at the same moment; wait for them to end")


def resume_lease(location: BucketPath, run_id: str) -> Lease:
    """Go on with the lease that a run took in an earlier step.

    Raises:
        HomeBusyError: the run does not have it any more.
    """
    since, current = _seconds(), _read(location)
    if current is None or current.document.run_id != run_id:
        raise _lost(location, LeaseDocument(run_id, 0, SECONDS, ""), current.document if current else None)
    lease = Lease(location, current.document, current.tag, since)
    lease.renew()
    return lease


def lease_holder(location: BucketPath) -> LeaseDocument | None:
    """Return who holds a home now, if a run does.

    It decides nothing. Credentials that may only read cannot ask the server for its time; then it is this machine's.
    """
    current = _read(location)
    try:
        return None if current is None or _has_expired(location, current) else current.document
    except ConfigurationError:
        assert current is not None
        expired = (datetime.now(UTC) - current.at).total_seconds() > current.document.seconds
        return None if expired else current.document


def _next(current: LeaseDocument | None, run_id: str, seconds: float, is_ours: bool) -> LeaseDocument:
    """Return the lease of a run after the one that stands there; one that it has already keeps its length."""
    if current is None:
        return LeaseDocument(run_id, 1, seconds, "")
    if is_ours:
        return current
    return LeaseDocument(run_id, current.epoch + 1, seconds, "", after_expiry=bool(current.run_id))


def _is_of_same_holder(document: LeaseDocument, other: LeaseDocument) -> bool:
    return (document.run_id, document.epoch) == (other.run_id, other.epoch)


def _has_expired(location: BucketPath, current: _Written) -> bool:
    if not current.document.run_id:
        return True
    return (server_time(location) - current.at).total_seconds() > current.document.seconds


def server_time(location: BucketPath) -> datetime:
    """Return the server's present moment: that of an object written just now."""
    probe = location.with_name(f"{location.name}.time")
    write_document(probe, uuid4().bytes)
    with readable_errors(probe):
        return obstore.head(store_of(probe), probe.key)["last_modified"]


def _read(location: BucketPath) -> _Written | None:
    stored = read_tagged(location)
    if stored is None:
        return None
    try:
        return _Written(LeaseDocument(**json.loads(stored.content)), stored.tag, stored.modified)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{location}: found what is no lease ({error}); remove it when no run is at work in the home"
        ) from error


def _content(document: LeaseDocument) -> bytes:
    return json.dumps(asdict(document), indent=1).encode()


def _with_nonce(document: LeaseDocument) -> LeaseDocument:
    return replace(document, nonce=uuid4().hex)


def _lost(location: BucketPath, lease: LeaseDocument, holder: LeaseDocument | None) -> HomeBusyError:
    now = f"run {holder.run_id} has it now" if holder and holder.run_id else "nobody has it now"
    return HomeBusyError(
        f"home {location.parent}: run {lease.run_id} has lost its lease, and {now}; nothing more is written; run again"
    )


def _seconds() -> float:
    return time.clock_gettime(CLOCK)
