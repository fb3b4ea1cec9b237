"""The lock of a home: one run at a time, for as long as any process of the run lives; readers do not ask for it."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass

from components.contracts.errors import ConfigurationError, HomeBusyError
from components.home.layout import Home

DYING_SECONDS = 3.0  # how long the processes of a killed run may take to go


@dataclass(frozen=True)
class LockHolder:
    """Who holds, or last held, a home's lock."""

    pid: int
    run_id: str


@contextmanager
def hold_lock(home: Home, run_id: str) -> Iterator[int]:
    """Hold the lock; yield its file descriptor, which children inherit so that they hold it too.

    Raises:
        ConfigurationError: the home cannot be written.
        HomeBusyError: another run holds the lock.
    """
    try:
        home.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ConfigurationError(
            f"home {home.root}: cannot be written ({error.strerror}); name another with --home"
        ) from error
    try:
        _take(descriptor, home)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(LockHolder(os.getpid(), run_id))).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def lock_holder(home: Home) -> LockHolder | None:
    """Return who holds the lock now, if anyone does."""
    try:
        descriptor = os.open(home.lock, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _noted(home) or LockHolder(0, "unknown")
    finally:
        os.close(descriptor)
    return None


def _take(descriptor: int, home: Home) -> None:
    deadline = time.monotonic() + DYING_SECONDS
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        holder = _noted(home)
        if (holder is not None and _is_alive(holder.pid)) or time.monotonic() > deadline:
            who = f"run {holder.run_id} (process {holder.pid})" if holder else "another run"
            raise HomeBusyError(f"home {home.root}: {who} is at work in it; wait for it to end, or name another --home")
        time.sleep(0.05)


def _noted(home: Home) -> LockHolder | None:
    try:
        return LockHolder(**json.loads(home.lock.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
