"""All that an online store holds: of a Redis, read without the code that wrote it."""

from contextlib import closing

import redis

from components.contracts.urls import public_url
from feature_repo.packed_online_store.backends.opening import open_backend
from feature_repo.packed_online_store.backends.redis_hashes import split_url


def online_content(url: str) -> dict[bytes, bytes]:
    """Return the values of a store by its keys, whichever store that is."""
    if url.startswith("redis://"):
        return _redis_content(url)
    with closing(open_backend(url)) as backend:
        keys = backend.keys(b"")
        return {key: value or b"" for key, value in zip(keys, backend.read(keys), strict=True)}


def _redis_content(url: str) -> dict[bytes, bytes]:
    """Read as the server's administrator, who has no password in tests: a shop's user may not look around."""
    address, prefix = split_url(url)
    with closing(redis.Redis.from_url(public_url(address))) as server:
        hashes = {name: server.hgetall(name) for name in server.scan_iter(f"{prefix}:*")}
    return {
        name.removeprefix(prefix.encode() + b":") + field: value
        for name, row in hashes.items()
        for field, value in row.items()
    }
