"""LMDB environments: one of a folder in a process, opened late, closed around forks, grown when full."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.backends.lmdb_compaction import DATA, replace_compacted
from feature_repo.packed_online_store.backends.lmdb_integrity import OpenFiles, look_into

SCHEME, MAP_SIZE = "lmdb://", "?map_size="
FIRST_MAP_BYTES = 1 << 30
MAX_READERS = 1024


class SharedEnvironment:
    """The environment of one folder, shared by all backends of the process.

    LMDB may not be opened twice in a process, nor used across a fork, nor resized while a transaction is open. So
    transactions are counted, and resizing, closing and forking wait until there is none. A file that took the place of
    the one that is open (see ``lmdb_compaction``) is opened before the next transaction.
    """

    def __init__(self, path: str, map_bytes: int) -> None:
        self.path = path
        self._data = os.path.join(path, DATA)
        self._map_bytes = map_bytes
        self._idle = threading.Condition(threading.Lock())
        self._open_transactions = 0
        self._seized = False
        self._environment: Any = None
        self._files: OpenFiles | None = None
        self._file: int | None = None
        self._looked_into: int | None = None

    @contextmanager
    def transaction(self, write: bool = False) -> Iterator[Any]:
        """Give a transaction, committed on leaving; it returns values as copies."""
        transaction = self._begin(write)
        try:
            with transaction:
                yield transaction
        finally:
            self._leave()

    def grow(self) -> None:
        """Double the map, or take over a larger one that another process has made.

        Raises:
            StoreError: the address space does not hold it.
        """
        with self.alone():
            environment = self._opened()
            size = environment.info()["map_size"]
            environment.set_mapsize(0)
            if environment.info()["map_size"] <= size:
                environment.set_mapsize(2 * size)

    def compact(self) -> None:
        """Replace the file by one that holds what is live and nothing else; other processes follow by themselves.

        Raises:
            StoreError: the copy does not hold what the file holds.
        """
        with self.alone():
            environment = self._opened()
            environment.set_mapsize(0)  # another process may have grown the map
            replace_compacted(environment, self.path)
            self._looked_into = self._file_now()
            self.close_now()

    def close(self) -> None:
        """Close the files once no transaction is open."""
        with self.alone():
            self.close_now()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep transactions out, as soon as there is none."""
        self.seize()
        try:
            yield
        finally:
            self.release()

    def seize(self) -> None:
        """Wait until no transaction is open and let none begin."""
        self._idle.acquire()
        self._idle.wait_for(lambda: not self._seized)
        self._seized = True  # keeps transactions out while the lock is let go of in waiting
        self._idle.wait_for(lambda: not self._open_transactions)

    def release(self) -> None:
        """Let transactions begin again."""
        self._seized = False
        self._idle.notify_all()
        self._idle.release()

    def close_now(self) -> None:
        """Close the files; only after :meth:`seize`."""
        if self._environment is None:
            return
        files, self._files = self._files, None
        if files is None or files.is_lock_whole():
            self._environment.close()
        else:
            _abandoned.append(self._environment)  # closing it would touch what is no longer there
        self._environment = None
        if files is not None:
            files.close()

    def discard(self) -> None:
        """Remove a damaged file, so the next use creates one; processes that have it open then continue."""
        with self.alone():
            self.close_now()
            Path(self._data).unlink(missing_ok=True)

    def _enter(self) -> Any:
        with self._idle:
            while self._seized:
                self._idle.wait()
            environment = self._environment or self._opened()
            self._open_transactions += 1
            return environment

    def _leave(self) -> None:
        with self._idle:
            self._open_transactions -= 1
            self._idle.notify_all()

    def _opened(self) -> Any:
        while self._environment is None:
            self._open()
        return self._environment

    def _open(self) -> None:
        """Open the file that the folder holds, unless it is new or another takes its place meanwhile: then not yet.

        The file is held while it is opened, because a later file may get the number of an inode that no process holds.
        """
        os.makedirs(self.path, exist_ok=True)
        if self._file_now() != self._looked_into:
            look_into(self.path, DATA, MAX_READERS)
        with _held(self._data) as file:
            environment = lmdb.open(self.path, map_size=self._map_bytes, max_readers=MAX_READERS)
            if file is None or file != self._file_now():
                environment.close()
                return
            environment.reader_check()
            self._environment, self._file, self._looked_into = environment, file, file
            self._files = OpenFiles(self.path, DATA)

    def _file_now(self) -> int | None:
        try:
            return os.stat(self._data).st_ino
        except FileNotFoundError:
            return None

    def _is_replaced(self) -> bool:
        """Return whether the folder holds another file than the one that is open."""
        return self._environment is not None and self._file_now() not in (None, self._file)

    def _reopen(self) -> None:
        with self.alone():
            if self._is_replaced():
                self.close_now()

    def _begin(self, write: bool) -> Any:
        while True:
            if self._is_replaced():
                self._reopen()
            environment = self._enter()
            try:
                if self._files is not None:
                    self._files.check()
                transaction = environment.begin(write=write)
                if not write or not self._is_replaced():  # no file is replaced while a write transaction is open
                    return transaction
                transaction.abort()
                self._leave()
            except lmdb.MapResizedError:  # another process has grown the map
                self._leave()
                with self.alone():
                    self._opened().set_mapsize(0)
            except BaseException:
                self._leave()
                raise


@contextmanager
def _held(path: str) -> Iterator[int | None]:
    """Hold a file open and give its inode's number; None where there is no file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        yield os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)


_abandoned: list[Any] = []
_environments: dict[str, SharedEnvironment] = {}
_registering = threading.Lock()


def environment_of(url: str) -> SharedEnvironment:
    """Return the process's environment of ``lmdb:///folder``, without opening it.

    The folder stands as it is: ``%``, ``#`` and ``?`` in it are parts of its name.

    Raises:
        StoreError: the URL names no folder or its map size is no number.
    """
    folder, sized, size = url.removeprefix(SCHEME).partition(MAP_SIZE)
    if not folder or (sized and not size.isdigit()):
        raise StoreError(
            f"online store URL {url!r} is not understood; expected lmdb:///folder, with ?map_size=BYTES or none"
        )
    path = os.path.realpath(folder)
    with _registering:
        return _environments.setdefault(path, SharedEnvironment(path, int(size or FIRST_MAP_BYTES)))


def folder_of(url: str) -> str:
    """Return the folder of ``lmdb:///folder``."""
    return url.removeprefix(SCHEME).partition(MAP_SIZE)[0]


def embedded_folder(url: str) -> Path | None:
    """Return the folder of a store that is files on this machine; None for one on a server."""
    return Path(folder_of(url)) if url.startswith(SCHEME) else None


def _before_fork() -> None:
    _registering.acquire()
    for environment in _environments.values():
        environment.seize()
        environment.close_now()


def _after_fork() -> None:
    for environment in _environments.values():
        environment.release()
    _registering.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
