"""The backend of a cluster: one Redis server, which several shops may share.

A bulk write is one HSET a batch, without looking at what stands there, wherever the *mark* proves that nothing newer
can: the mark of a view keeps the newest stamp that any write brought. Otherwise a script compares row by row. Both are
atomic in Redis, and each sees the other's writes, because both change the mark.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from components.contracts.errors import StoreError
from components.contracts.urls import AMBIGUOUS, is_ambiguous, public_url
from feature_repo.packed_online_store.backends.backend import RowBatch
from feature_repo.packed_online_store.backends.redis_commands import overwrite, read_values
from feature_repo.packed_online_store.backends.redis_hashes import Hashes, RowFields, split_url

READ_AT_ONCE = 5_000
LIST_AT_ONCE = 1_000
CONNECT_SECONDS = 3
ANSWER_SECONDS = 30

WRITE_NEWER = """
local function is_row_like(row, ours)
  if #row < 48 or string.sub(row, 1, 4) ~= string.sub(ours, 1, 4) then return false end
  local size, held = struct.unpack('<I4I4', row, 41)
  return string.sub(row, 25, 40) == string.sub(ours, 25, 40) and size + math.ceil(held / 8) * 8 == #row
end
local mark = redis.call('HGET', KEYS[1], '')
local newest = ARGV[1]
if mark and #mark >= 16 then
  local event, created = struct.unpack('<i8i8', mark)
  local our_event, our_created = struct.unpack('<i8i8', newest)
  if event > our_event or (event == our_event and created > our_created) then
    newest = string.sub(mark, 1, 16) .. string.sub(newest, 17)
  end
end
redis.call('HSET', KEYS[1], '', newest)
local count = (#ARGV - 1) / 2
local standing = redis.call('HMGET', KEYS[2], unpack(ARGV, 2, count + 1))
local writes, kept = {}, 0
for i = 1, count do
  local wins, ours = true, ARGV[count + 1 + i]
  if standing[i] and is_row_like(standing[i], ours) then
    local event, created = struct.unpack('<i8i8', standing[i], 9)
    local our_event, our_created = struct.unpack('<i8i8', ours, 9)
    wins = our_event > event or (our_event == event and our_created >= created)
  end
  if wins then
    writes[#writes + 1] = ARGV[i + 1]
    writes[#writes + 1] = ours
  else
    kept = kept + 1
  end
end
if #writes > 0 then redis.call('HSET', KEYS[2], unpack(writes)) end
return kept
"""
"""KEYS: the mark's hash, the rows' hash; ARGV: the stamp and token for the mark, the rows' fields, the packed rows.

What is no row of ours is newer than none.
"""

LIST_FIELDS = """
local answer = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local fields = {}
for i = 1, #answer[2], 2 do fields[#fields + 1] = answer[2][i] end
return {answer[1], fields}
"""
"""KEYS: a hash; ARGV: a cursor, and about how many fields to look at. Values stay where they are."""


class RedisBackend:
    """Rows in the database of ``redis://[user:password@]host:port/db``, below ``?prefix=``.

    Every command names its keys, and all begin with the prefix: the server's access control list can hold a user to it.
    deadline_seconds: how long connecting, and then an answer, may take; a call that takes longer fails and is not made
    again. Without it a call waits longer, and is made again when the connection was lost.
    """

    def __init__(self, url: str, deadline_seconds: float | None = None) -> None:
        self.url = public_url(url)
        expected = f"expected one such as redis://:password@host:6379/0; {AMBIGUOUS}"
        if is_ambiguous(url):
            raise StoreError(f"online store URL {self.url!r} (shown without user and password): {expected}")
        address, prefix = split_url(url)
        self._hashes = Hashes(prefix)
        self._again = deadline_seconds is None
        once = {} if deadline_seconds is None else {"retry": Retry(NoBackoff(), 0)}
        try:
            self._redis = redis.Redis.from_url(
                address,
                socket_connect_timeout=deadline_seconds or CONNECT_SECONDS,
                socket_timeout=deadline_seconds or ANSWER_SECONDS,
                decode_responses=False,
                **once,
            )
        except ValueError:  # its message may repeat the password
            raise StoreError(f"online store URL {self.url!r} cannot be understood: {expected}") from None
        self._write_newer = self._redis.register_script(WRITE_NEWER)
        self._list_fields = self._redis.register_script(LIST_FIELDS)

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        with self._translated():
            return list(chain.from_iterable(self._values(some) for some in _batched(keys, READ_AT_ONCE)))

    def write_newer(self, mark: bytes, batches: Iterable[RowBatch], oldest: bytes, newest: bytes) -> int:
        record = newest + os.urandom(8)
        name, _ = self._hashes.place(mark)
        with self._translated():
            opposed = overwrite(self._redis.connection_pool, name, record, self._hashes.rows(batches), oldest)
            return sum(self._compare(name, record, batch) for batch in opposed)

    def put(self, key: bytes, value: bytes) -> None:
        name, field = self._hashes.place(key)
        with self._translated():
            self._redis.hset(name, field, value)

    def delete(self, keys: Sequence[bytes]) -> int:
        with self._translated():
            return sum(
                self._redis.hdel(part.name, *part.fields)
                for some in _batched(keys, READ_AT_ONCE)
                for part in self._hashes.split(some)
            )

    def keys(self, prefix: bytes) -> list[bytes]:
        name, start = self._hashes.place(prefix)
        with self._translated():
            return sorted({self._hashes.key(name, field) for field in self._fields(name) if field.startswith(start)})

    def delete_prefix(self, prefix: bytes) -> int:
        name, start = self._hashes.place(prefix)
        if start:
            return self.delete(self.keys(prefix))
        with self._translated(), self._redis.pipeline() as commands:
            commands.hlen(name)
            commands.unlink(name)
            return int(commands.execute()[0])

    def scrub(self) -> None:
        """Do nothing: memory holds no deleted rows, and what the server has saved it replaces by its own schedule."""

    def discard_damaged(self) -> None:
        """Do nothing: the server looks after its files."""

    def close(self) -> None:
        self._redis.close()

    def _values(self, keys: Sequence[bytes]) -> list[bytes | None]:
        asked = self._hashes.split(keys)
        try:
            return read_values(self._redis.connection_pool, asked)
        except redis.ConnectionError:  # a connection that the server has dropped
            if not self._again:
                raise
            with self._redis.pipeline(transaction=False) as commands:  # redis-py tries again on a new one
                for part in asked:
                    commands.hmget(part.name, part.fields)
                return list(chain.from_iterable(commands.execute()))

    def _compare(self, mark: bytes, record: bytes, batch: RowFields) -> int:
        return int(self._write_newer(keys=[mark, batch.name], args=[record, *batch.fields, *batch.values]))

    def _fields(self, name: bytes) -> Iterator[bytes]:
        """Yield the fields of a hash, some more than once, a part at a time: the server answers others between."""
        cursor: bytes | int = 0
        while True:
            cursor, fields = self._list_fields(keys=[name], args=[cursor, LIST_AT_ONCE])
            yield from fields
            if int(cursor) == 0:
                return

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
