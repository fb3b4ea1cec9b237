"""The lock of a home in a bucket: a lease that belongs to a run, not to a process.

The lease is a small document that says who holds it and for how long; it is taken, renewed and given up by
compare-and-swap. Whether it has expired is decided by the server's clock alone: the time at which the server wrote the
lease, beside the time at which it wrote a probe just now. Clocks of machines may differ by any amount.

A holder goes by a clock of its machine that nobody sets, from before its last renewal, so that it stops before others
begin. The lease is checked right before each write (``held.check_held``), of a table after its version was read. A
commit is a conditional put itself. A run that takes an expired lease must commit to every table first
(``lake.fencing``): a holder that was paused between check and commit finds its version taken.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import uuid4

import obstore

from components.contracts.errors import HomeBusyError, RankloopError
from components.home.storage.bucket import readable_errors, store_of
from components.home.storage.documents import put_tagged, remove_document, write_document
from components.home.storage.held import working_under
from components.home.storage.locations import BucketPath

SECONDS = 1800.0
SAFETY = 0.9  # of the time, after which a holder no longer relies on its lease
HEARTBEATS = 6  # renewals in the time of a lease
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # goes on while the machine sleeps, where there is one


@dataclass(frozen=True)
class LeaseDocument:
    """Who holds a home: a run, how often the lease went from one run to another, and how long it lasts."""

    run_id: str
    epoch: int
    seconds: float
    nonce: str  # makes each writing another content, and so another entity tag


@dataclass(frozen=True)
class _Written:
    document: LeaseDocument
    tag: str
    at: datetime  # by the server's clock


@dataclass
class Lease:
    """A lease that this process's run holds."""

    location: BucketPath
    document: LeaseDocument
    _tag: str
    _since: float  # seconds by CLOCK before the last renewal was sent

    @property
    def epoch(self) -> int:
        """Return how often the lease of this home has gone to another run."""
        return self.document.epoch

    def owns(self, location: BucketPath) -> bool:
        """Say whether a location lies in the folder of the run itself."""
        return location.is_below(self.location.parent / "runs" / self.document.run_id)

    def check(self) -> None:
        """Make sure that the run still holds the home, as right before a commit; asks nobody.

        Raises:
            HomeBusyError: the lease may have expired.
        """
        if _seconds() - self._since > self.document.seconds * SAFETY:
            self.renew()

    def renew(self) -> None:
        """Begin the time of the lease again, if no other run has taken it.

        Raises:
            HomeBusyError: another run has it, or it is gone.
            ConfigurationError, StorageError: the bucket cannot be used.
        """
        since = _seconds()
        renewed = _with_nonce(self.document)
        if not put_tagged(self.location, _content(renewed), self._tag):
            current = _read(self.location)
            if current is None or (current.document.run_id, current.document.epoch) != (
                self.document.run_id,
                self.document.epoch,
            ):
                raise _lost(self.location, self.document, current.document if current else None)
            return self._adopt(current, since)  # another step of the same run has renewed it
        written = _read(self.location)
        if written is None or written.document != renewed:
            raise _lost(self.location, self.document, written.document if written else None)
        return self._adopt(written, since)

    def release(self) -> None:
        """Give the home up, unless another run has it."""
        with suppress(HomeBusyError):
            self.renew()
            remove_document(self.location)

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Renew the lease beside the work of a step, whose writes to the home check it (``held.check_held``)."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(self.document.seconds / HEARTBEATS):
                with suppress(RankloopError):
                    self.renew()

        thread = threading.Thread(target=beat, name="lease", daemon=True)
        thread.start()
        try:
            with working_under(self.location.parent, self):
                yield
        finally:
            ended.set()
            thread.join()

    def _adopt(self, written: "_Written", since: float) -> None:
        self.document, self._tag, self._since = written.document, written.tag, since


def take_lease(location: BucketPath, run_id: str, seconds: float = SECONDS, alone: bool = False) -> Lease:
    """Take the lease of a home for a run, or go on with it where the run has it already, as its later steps do.

    Work that is ``alone`` never goes on with a lease: another process may do work of the same name.

    Raises:
        HomeBusyError: another run has it, and its time has not passed.
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    since = _seconds()
    current = _read(location)
    is_ours = current is not None and current.document.run_id == run_id and not alone
    if current and not is_ours and not _has_expired(location, current):
        raise HomeBusyError(
            f"home {location.parent}: run {current.document.run_id} is at work in it; wait for it to end, or for its"
            f" lease of {current.document.seconds:.0f} s to pass, or name another --home"
        )
    wanted = _with_nonce(_next(current, run_id, seconds))
    if put_tagged(location, _content(wanted), current.tag if current else None):
        written = _read(location)
        if written and written.document == wanted:
            return Lease(location, written.document, written.tag, since)
    raise HomeBusyError(f"home {location.parent}: another run began at the same moment; wait for it to end")


def resume_lease(location: BucketPath, run_id: str) -> Lease:
    """Go on with the lease that a run took in an earlier step.

    Raises:
        HomeBusyError: the run does not have it any more.
    """
    since = _seconds()
    current = _read(location)
    if current is None or current.document.run_id != run_id:
        raise _lost(location, LeaseDocument(run_id, 0, SECONDS, ""), current.document if current else None)
    lease = Lease(location, current.document, current.tag, since)
    lease.renew()
    return lease


def lease_holder(location: BucketPath) -> LeaseDocument | None:
    """Return who holds a home now, if a run does."""
    current = _read(location)
    return None if current is None or _has_expired(location, current) else current.document


def _next(current: _Written | None, run_id: str, seconds: float) -> LeaseDocument:
    if current is None:
        return LeaseDocument(run_id, 1, seconds, "")
    same = current.document.run_id == run_id
    return LeaseDocument(run_id, current.document.epoch + (0 if same else 1), seconds, "")


def _has_expired(location: BucketPath, current: _Written) -> bool:
    return (server_time(location) - current.at).total_seconds() > current.document.seconds


def server_time(location: BucketPath) -> datetime:
    """Return the server's present moment: that of an object written just now."""
    probe = location.with_name(f"{location.name}.time")
    write_document(probe, uuid4().bytes)
    with readable_errors(probe):
        return obstore.head(store_of(probe), probe.key)["last_modified"]


def _read(location: BucketPath) -> _Written | None:
    try:
        with readable_errors(location):
            answer = obstore.get(store_of(location), location.key)
            content, meta = bytes(answer.bytes()), answer.meta
    except FileNotFoundError:
        return None
    return _Written(LeaseDocument(**json.loads(content)), meta["e_tag"] or "", meta["last_modified"])


def _content(document: LeaseDocument) -> bytes:
    return json.dumps(asdict(document), indent=1).encode()


def _with_nonce(document: LeaseDocument) -> LeaseDocument:
    return LeaseDocument(document.run_id, document.epoch, document.seconds, uuid4().hex)


def _lost(location: BucketPath, lease: LeaseDocument, holder: LeaseDocument | None) -> HomeBusyError:
    now = f"run {holder.run_id} has it now" if holder else "nobody has it now"
    return HomeBusyError(
        f"home {location.parent}: run {lease.run_id} has lost its lease, and {now}; nothing more is written; run again"
    )


def _seconds() -> float:
    return time.clock_gettime(CLOCK)
