"""What a bucket refuses is one clear error; the servers are real, or a socket where none behaves so badly."""

import socket

import pytest

from components.contracts.errors import ConfigurationError, RankloopError, StorageError
from components.home.storage import bucket as bucket_module
from components.home.storage.documents import read_document
from components.home.storage.locations import BucketPath
from tests.faulty_s3 import FaultySeries, failing, faulty_s3
from tests.servers import S3Server


def refusal(location: BucketPath) -> RankloopError:
    with pytest.raises(RankloopError) as raised:
        read_document(location)
    assert "\n" not in str(raised.value)
    return raised.value


def test_a_bucket_that_does_not_exist_is_named(bucket: BucketPath) -> None:
    with pytest.raises(ConfigurationError, match="has no bucket no-such-bucket; create it, or name another"):
        read_document(BucketPath("no-such-bucket", "a"))


def test_refused_credentials_are_said(bucket: BucketPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    error = refusal(bucket)
    assert isinstance(error, ConfigurationError)
    assert "the credentials are refused (SignatureDoesNotMatch" in str(error)
    assert "another" not in str(error)


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (503, "SlowDown", StorageError, "was throttling"),
        (403, "ExpiredToken", ConfigurationError, "credentials are refused (ExpiredToken"),
        (403, "RequestTimeTooSkewed", ConfigurationError, "this machine's clock is not the server's"),
        (507, "QuotaExceeded", StorageError, "the store is full"),
    ],
)
def test_what_the_server_says_becomes_advice(
    status: int, code: str, kind: type[RankloopError], words: str, monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    with faulty_s3("http://asks.nobody", request=failing(status, code)):
        error = refusal(BucketPath("b", "k"))
    assert (type(error), words in str(error)) == (kind, True), error


def test_a_server_that_hangs_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch, impatient: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections, and never answers
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        error = refusal(BucketPath("b", "k"))
    assert isinstance(error, StorageError)
    assert "check AWS_ENDPOINT_URL and that the server answers" in str(error)


def test_a_server_that_restarts_is_asked_again_however_often_it_refuses(bucket: BucketPath, s3: S3Server) -> None:
    series = FaultySeries(failing(503, "ServiceUnavailable"), 12)
    with faulty_s3(s3.endpoint, request=series):
        assert read_document(bucket / "nothing") is None
    assert len(series.seen) == 13


def test_missing_credentials_are_said(monkeypatch: pytest.MonkeyPatch, impatient: None) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with faulty_s3("http://asks.nobody", request=failing(404, "NotFound")) as address:
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", address)
        assert "there are no credentials" in str(refusal(BucketPath("b", "k")))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no server: the bounds are the client's, their lengths are not what is tested."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "tests")
    monkeypatch.setattr(bucket_module, "REQUEST_SECONDS", 1)
    monkeypatch.setattr(bucket_module, "MAX_RETRIES", 1)
