"""Both backends, real: a folder of LMDB's, and a Redis server of the session's own."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feature_repo.packed_online_store.client import PackedClient
from tests.servers import redis_server

AS_OF = datetime(2017, 8, 28, tzinfo=UTC)

OpenClient = Callable[..., PackedClient]


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(params=["lmdb", pytest.param("redis", marks=pytest.mark.slow)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "lmdb":
        return f"lmdb://{tmp_path / 'online'}"
    url: str = request.getfixturevalue("redis_url")
    return url


@pytest.fixture
def open_client(store_url: str) -> Iterator[OpenClient]:
    """Open clients of one project that no other test uses."""
    project = f"shop_{uuid.uuid4().hex[:8]}"
    opened = []

    def open_one(revision: str = "r1", now: datetime = AS_OF + timedelta(hours=1)) -> PackedClient:
        client = PackedClient.open(store_url, project=project, revision=revision, clock=lambda: now)
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        client.close()
