"""What holds for all tests."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.servers import S3Server, s3_server

settings.register_profile("any machine", deadline=None)  # no test is judged by how long the machine took
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Run one S3 server for all tests of a worker; each uses keys of its own."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server
