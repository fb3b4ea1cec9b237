"""What holds for all tests."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings

from components.home.storage.locations import BucketPath, Location
from tests.servers import S3Server, s3_server

settings.register_profile("any machine", deadline=None)  # no test is judged by how long the machine took
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Run one S3 server for all tests of a worker; each uses keys of its own."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BucketPath:
    """Give each test a place of its own in a bucket, and a cache."""
    for name, value in (s3.environment | {"RANKLOOP_CACHE": str(tmp_path / "cache")}).items():
        monkeypatch.setenv(name, value)
    return BucketPath("ready", f"a home ü/{uuid4().hex}")


@pytest.fixture(params=["folder", "bucket"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """Give a place for a home, once in a folder and once in a bucket."""
    return tmp_path / "home" if request.param == "folder" else request.getfixturevalue("bucket")
