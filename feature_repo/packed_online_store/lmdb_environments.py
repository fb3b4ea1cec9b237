"""LMDB environments: one of a folder in a process, opened late, closed around forks, grown when full."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lmdb

from components.contracts.errors import StoreError

SCHEME, MAP_SIZE = "lmdb://", "?map_size="
FIRST_MAP_BYTES = 1 << 30
MAX_READERS = 1024


class SharedEnvironment:
    """The environment of one folder, shared by all backends of the process.

    LMDB may not be opened twice in a process, nor used across a fork, nor resized while a transaction is open. So
    transactions are counted, and resizing, closing and forking wait until there is none.
    """

    def __init__(self, path: str, map_bytes: int) -> None:
        self.path = path
        self._map_bytes = map_bytes
        self._idle = threading.Condition(threading.Lock())
        self._open_transactions = 0
        self._seized = False
        self._environment: Any = None

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

        Errors: StoreError where the address space does not hold it.
        """
        with self.alone():
            environment = self._opened()
            size = environment.info()["map_size"]
            environment.set_mapsize(0)
            if environment.info()["map_size"] <= size:
                environment.set_mapsize(2 * size)

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
        if self._environment is not None:
            self._environment.close()
            self._environment = None

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
        if self._environment is None:
            os.makedirs(self.path, exist_ok=True)
            self._environment = lmdb.open(self.path, map_size=self._map_bytes, max_readers=MAX_READERS)
            self._environment.reader_check()
        return self._environment

    def _begin(self, write: bool) -> Any:
        while True:
            environment = self._enter()
            try:
                return environment.begin(write=write)
            except lmdb.MapResizedError:  # another process has grown the map
                self._leave()
                with self.alone():
                    self._opened().set_mapsize(0)
            except BaseException:
                self._leave()
                raise


_environments: dict[str, SharedEnvironment] = {}
_registering = threading.Lock()


def environment_of(url: str) -> SharedEnvironment:
    """Return the process's environment of ``lmdb:///folder``, without opening it.

    The folder stands as it is: ``%``, ``#`` and ``?`` in it are parts of its name.

    Errors: StoreError where the URL names no folder or its map size is no number.
    """
    folder, sized, size = url.removeprefix(SCHEME).partition(MAP_SIZE)
    if not folder or (sized and not size.isdigit()):
        raise StoreError(
            f"online store URL {url!r} is not understood; expected lmdb:///folder, with ?map_size=BYTES or none"
        )
    path = os.path.realpath(folder)
    with _registering:
        return _environments.setdefault(path, SharedEnvironment(path, int(size or FIRST_MAP_BYTES)))


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
