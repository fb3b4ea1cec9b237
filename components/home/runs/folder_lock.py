"""The lock of a home in a folder: a flock on its file ``lock``, which names the holder."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from components.contracts.errors import ConfigurationError, HomeBusyError
from components.home.disk.file_lock import FileLock, try_lock
from components.home.runs.holder import LockHolder

DYING_SECONDS = 3.0  # how long the processes of a killed run may take to go


class FolderLock:
    """A flock on the file ``lock``, which names its holder.

    A laptop's runner has it from before the first step until after the last one. Without a runner the steps of a run
    share it while they work; in between the name stands, and another run may replace it: then the first one ends.
    """

    def __init__(self, root: Path) -> None:
        self._root, self._file = root, root / "lock"

    def acquire(self, run_id: str) -> None:
        """Note the run as the holder, unless its runner has done so."""
        if not self._is_held_by_runner(run_id):
            with self.hold_alone(run_id):
                pass

    @contextmanager
    def hold(self, run_id: str) -> Iterator[None]:
        """Share the flock with the other steps of the run, unless its runner holds it for all of them."""
        if self._is_held_by_runner(run_id):
            yield
            return
        with self._locked(shared=True):
            self._require_note_of(run_id)
            yield

    def release(self, run_id: str) -> None:
        """Take the run's name off the lock; a runner lets go by itself."""
        if not self._is_held_by_runner(run_id):
            with suppress(HomeBusyError), self.hold(run_id):
                os.truncate(self._file, 0)

    @contextmanager
    def hold_alone(self, name: str) -> Iterator[int]:
        """Hold the flock alone; children that inherit its descriptor hold it too."""
        with self._locked() as descriptor:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(asdict(LockHolder(os.getpid(), name))).encode(), 0)
            yield descriptor

    def holder(self) -> LockHolder | None:
        """Return who holds the flock now, alone or as steps that share it, if anyone does."""
        return None if self._is_free(shared=False) else self._noted() or LockHolder(0, "unknown")

    def _is_held_by_runner(self, run_id: str) -> bool:
        holder = self._noted()
        return holder is not None and holder.run_id == run_id and not self._is_free(shared=True)

    def _require_note_of(self, run_id: str) -> None:
        holder = self._noted()
        if holder is None or holder.run_id != run_id:
            other = f"run {holder.run_id}" if holder else "nobody"
            raise HomeBusyError(
                f"home {self._root}: found it taken by {other}, expected run {run_id}, which has lost it between "
                "two steps; nothing that it finished is lost: run it again when the home is free"
            )

    def _is_free(self, shared: bool) -> bool:
        """Say whether the lock could be taken now, alone or shared."""
        try:
            descriptor = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        with FileLock(self._root).held():  # nobody finds the lock taken by this look
            try:
                return try_lock(descriptor, shared)
            finally:
                os.close(descriptor)

    @contextmanager
    def _locked(self, shared: bool = False) -> Iterator[int]:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise ConfigurationError(
                f"home {self._root}: cannot be written ({error.strerror}); name another with --home"
            ) from error
        try:
            self._wait(descriptor, shared)
            yield descriptor
        finally:
            os.close(descriptor)

    def _wait(self, descriptor: int, shared: bool) -> None:
        deadline = time.monotonic() + DYING_SECONDS
        while True:
            with FileLock(self._root).held():
                if try_lock(descriptor, shared):
                    return
            holder = self._noted()
            if (holder is not None and _is_alive(holder.pid)) or time.monotonic() > deadline:
                who = f"run {holder.run_id} (process {holder.pid})" if holder else "another run"
                raise HomeBusyError(
                    f"home {self._root}: {who} is at work in it; wait for it to end, or name another --home"
                )
            time.sleep(0.05)

    def _noted(self) -> LockHolder | None:
        try:
            return LockHolder(**json.loads(self._file.read_text()))
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
