"""A store that asks, right before each write, whether the writer may still write."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from feature_repo.packed_online_store.backends.backend import Backend, RowBatch


class GuardedBackend:
    """A backend whose writes first call ``check``, which raises where nothing may be written any more."""

    def __init__(self, backend: Backend, check: Callable[[], None]) -> None:
        self._backend, self._check = backend, check
        self.url = backend.url

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of keys."""
        return self._backend.read(keys)

    def keys(self, prefix: bytes) -> list[bytes]:
        """Return the keys that begin with a prefix."""
        return self._backend.keys(prefix)

    def close(self) -> None:
        """Let go of connections and files."""
        self._backend.close()

    def write_newer(self, mark: bytes, batches: Iterable[RowBatch], oldest: bytes, newest: bytes) -> int:
        """Write rows except where a newer one stands, and check before each batch."""
        return self._backend.write_newer(mark, self._checked(batches), oldest, newest)

    def _checked(self, batches: Iterable[RowBatch]) -> Iterator[RowBatch]:
        self._check()
        for batch in batches:
            self._check()
            yield batch

    def put(self, key: bytes, value: bytes) -> None:
        """Write one value."""
        self._check()
        self._backend.put(key, value)

    def delete(self, keys: Sequence[bytes]) -> int:
        """Delete keys."""
        self._check()
        return self._backend.delete(keys)

    def delete_prefix(self, prefix: bytes) -> int:
        """Delete all keys that begin with a prefix."""
        self._check()
        return self._backend.delete_prefix(prefix)

    def scrub(self) -> None:
        """Leave nothing in the store's own files of what was deleted."""
        self._check()
        self._backend.scrub()

    def discard_damaged(self) -> None:
        """Remove the store's own files."""
        self._check()
        self._backend.discard_damaged()
