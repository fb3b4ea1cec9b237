"""Which backend a URL names; each is imported only when it is asked for."""

from components.contracts.errors import StoreError
from components.contracts.urls import public_url
from feature_repo.packed_online_store.backends.backend import Backend


def open_backend(url: str, deadline_seconds: float | None = None) -> Backend:
    """Choose the backend of a URL: ``lmdb:///path`` or ``redis://host:port/db`` (``rediss://`` with TLS).

    deadline_seconds: how long a server may take to answer a call, which then fails; a file needs none.

    Raises:
        StoreError: any other URL.
    """
    scheme = url.partition("://")[0]
    if scheme == "lmdb":
        from feature_repo.packed_online_store.backends.lmdb_backend import LmdbBackend

        return LmdbBackend(url)
    if scheme in ("redis", "rediss", "unix"):
        from feature_repo.packed_online_store.backends.redis_backend import RedisBackend

        return RedisBackend(url, deadline_seconds)
    raise StoreError(
        f"online store URL {public_url(url)!r} is not understood; expected lmdb:///path or redis://host:port/db"
    )
