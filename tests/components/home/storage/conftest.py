"""A place of its own in a bucket for each test; ``elsewhere`` is the same for a folder."""

from uuid import uuid4

import pytest

from components.home.storage.locations import BucketPath
from tests.servers import S3Server


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> BucketPath:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return BucketPath("ready", f"a home ü/{uuid4().hex}")
