"""The backend of a cluster: one Redis server.

A bulk write is one MSET a batch, without looking at what stands there, wherever the *mark* proves that nothing newer
can: the mark of a view keeps the newest stamp that any write brought. Otherwise a script compares row by row. Both are
atomic in Redis, and each sees the other's writes, because both change the mark.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from components.contracts.errors import StoreError
from components.contracts.urls import AMBIGUOUS, is_ambiguous, public_url
from feature_repo.packed_online_store.backends.backend import RowBatch
from feature_repo.packed_online_store.backends.redis_commands import overwrite, read_values

READ_AT_ONCE = 5_000
CONNECT_SECONDS = 3
ANSWER_SECONDS = 30

WRITE_NEWER = """
local function is_row_like(row, ours)
  if #row < 48 or string.sub(row, 1, 4) ~= string.sub(ours, 1, 4) then return false end
  local size, held = struct.unpack('<I4I4', row, 41)
  return string.sub(row, 25, 40) == string.sub(ours, 25, 40) and size + math.ceil(held / 8) * 8 == #row
end
local mark = redis.call('MGET', KEYS[1])[1]
local newest = ARGV[1]
if mark and #mark >= 16 then
  local event, created = struct.unpack('<i8i8', mark)
  local our_event, our_created = struct.unpack('<i8i8', newest)
  if event > our_event or (event == our_event and created > our_created) then
    newest = string.sub(mark, 1, 16) .. string.sub(newest, 17)
  end
end
redis.call('SET', KEYS[1], newest)
local rows = {unpack(KEYS, 2)}
local standing = redis.call('MGET', unpack(rows))
local writes, kept = {}, 0
for i = 1, #rows do
  local wins = true
  if standing[i] and is_row_like(standing[i], ARGV[i + 1]) then
    local event, created = struct.unpack('<i8i8', standing[i], 9)
    local our_event, our_created = struct.unpack('<i8i8', ARGV[i + 1], 9)
    wins = our_event > event or (our_event == event and our_created >= created)
  end
  if wins then
    writes[#writes + 1] = rows[i]
    writes[#writes + 1] = ARGV[i + 1]
  else
    kept = kept + 1
  end
end
if #writes > 0 then redis.call('MSET', unpack(writes)) end
return kept
"""
"""KEYS: the mark, then the rows; ARGV: the stamp and token for the mark, then the packed rows.

MGET gives nothing for a key of another type, where GET fails; what is no row of ours is newer than none.
"""


class RedisBackend:
    """Rows in the database of ``redis://[user:password@]host:port/db``.

    deadline_seconds: how long connecting, and then an answer, may take; a call that takes longer fails and is not made
    again. Without it a call waits longer, and is made again when the connection was lost.
    """

    def __init__(self, url: str, deadline_seconds: float | None = None) -> None:
        self.url = public_url(url)
        expected = f"expected one such as redis://:password@host:6379/0; {AMBIGUOUS}"
        if is_ambiguous(url):
            raise StoreError(f"online store URL {self.url!r} (shown without user and password): {expected}")
        self._again = deadline_seconds is None
        once = {} if deadline_seconds is None else {"retry": Retry(NoBackoff(), 0)}
        try:
            self._redis = redis.Redis.from_url(
                url,
                socket_connect_timeout=deadline_seconds or CONNECT_SECONDS,
                socket_timeout=deadline_seconds or ANSWER_SECONDS,
                decode_responses=False,
                **once,
            )
        except ValueError:  # its message may repeat the password
            raise StoreError(f"online store URL {self.url!r} cannot be understood: {expected}") from None
        self._write_newer = self._redis.register_script(WRITE_NEWER)

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        with self._translated():
            if 0 < len(keys) <= READ_AT_ONCE:
                return self._values(keys)
            return list(chain.from_iterable(self._values(some) for some in _batched(keys, READ_AT_ONCE)))

    def write_newer(self, mark: bytes, batches: Iterable[RowBatch], oldest: bytes, newest: bytes) -> int:
        record = newest + os.urandom(8)
        with self._translated():
            opposed = overwrite(self._redis.connection_pool, mark, record, batches, oldest)
            return sum(self._compare(mark, record, batch) for batch in opposed)

    def put(self, key: bytes, value: bytes) -> None:
        with self._translated():
            self._redis.set(key, value)

    def delete(self, keys: Sequence[bytes]) -> int:
        with self._translated():
            return sum(self._redis.unlink(*some) for some in _batched(keys, READ_AT_ONCE))

    def keys(self, prefix: bytes) -> list[bytes]:
        with self._translated():
            return sorted(set(self._scan(prefix)))

    def delete_prefix(self, prefix: bytes) -> int:
        with self._translated():
            return sum(self._redis.unlink(*some) for some in _batched(list(self._scan(prefix)), READ_AT_ONCE))

    def scrub(self) -> None:
        """Do nothing: memory holds no deleted rows, and what the server has saved it replaces by its own schedule."""

    def discard_damaged(self) -> None:
        """Do nothing: the server looks after its files."""

    def close(self) -> None:
        self._redis.close()

    def _values(self, keys: Sequence[bytes]) -> list[bytes | None]:
        try:
            return read_values(self._redis.connection_pool, keys)
        except redis.ConnectionError:  # a connection that the server has dropped: redis-py tries again on a new one
            if not self._again:
                raise
            return cast(list[bytes | None], self._redis.mget(keys))

    def _compare(self, mark: bytes, record: bytes, batch: RowBatch) -> int:
        return int(self._write_newer(keys=[mark, *batch.keys], args=[record, *batch.values]))

    def _scan(self, prefix: bytes) -> Iterator[bytes]:
        literal = b"".join(b"\\" + bytes([byte]) if byte in b"*?[]\\^-" else bytes([byte]) for byte in prefix)
        return self._redis.scan_iter(match=literal + b"*", count=READ_AT_ONCE)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise StoreError(
                f"online store {self.url} cannot be reached ({error}); expected a Redis server there: start it, or "
                "correct the online store's URL"
            ) from error
        except redis.RedisError as error:
            raise StoreError(
                f"online store {self.url} refuses ({error}); expected a writable Redis that evicts nothing: "
                "check its memory limit, its policy and this user's rights"
            ) from error


def _batched(keys: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))
