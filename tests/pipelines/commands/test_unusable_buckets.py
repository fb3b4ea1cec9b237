"""A bucket that cannot be used is one line of every command."""

import socket
import sys
from pathlib import Path

import pytest

from components.home.storage import bucket as bucket_module
from components.home.storage.locations import BucketPath
from pipelines.cli import main
from tests.faulty_s3 import failing, faulty_s3

COMMANDS = (
    ("run", "--shop", "tiny.toml"),
    ("runs",),
    ("recommend", "--all-users"),
    ("bundle",),
    ("keys", "add", "page"),
    ("keys", "list"),
    ("keys", "remove", "page"),
    ("experiment",),
    ("forget", "ann", "--yes"),
    ("drift",),
    ("promote", "latest"),
    ("rollback",),
    ("serve",),
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shop_file: Path) -> None:
    """Ask a server once, and for a second; the bounds are the client's, their lengths are not what is tested."""
    monkeypatch.chdir(shop_file.parent)
    monkeypatch.setattr(bucket_module, "MAX_RETRIES", 0)
    monkeypatch.setattr(bucket_module, "REQUEST_SECONDS", 1)
    variables = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "RANKLOOP_ONLINE_URL": "redis://host"}
    for name, value in (variables | {"RANKLOOP_CACHE": str(tmp_path / "cache")}).items():
        monkeypatch.setenv(name, value)


def the_line(
    words: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """Check that a command ends with a code and one line, and return that line."""
    monkeypatch.setattr(sys, "argv", ["rankloop", *words, "--home", str(BucketPath("bucket", "a home"))])
    with pytest.raises(SystemExit) as ended:
        main()
    [line] = capsys.readouterr().err.splitlines()
    assert (ended.value.code, line.startswith("rankloop: s3://bucket/a home")) == (code, True), line
    return line


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_says_in_one_line_that_a_bucket_is_not_there(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with faulty_s3("http://asks.nobody", request=failing(404, "NoSuchBucket")) as address:
        line = the_line(words, 2, monkeypatch, capsys)
    assert line.endswith(f"{address} has no bucket bucket; create it, or name another")


@pytest.mark.parametrize(
    ("status", "error", "code", "words"),
    [
        (403, "ExpiredToken", 2, "the credentials are refused (ExpiredToken: as configured); check AWS_ACCESS_KEY_ID"),
        (403, "RequestTimeTooSkewed", 2, "this machine's clock is not the server's"),
        (503, "SlowDown", 1, "was throttling"),
        (507, "QuotaExceeded", 1, "the store is full"),
    ],
)
def test_what_a_store_refuses_is_one_line(
    status: int,
    error: str,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with faulty_s3("http://asks.nobody", request=failing(status, error)):
        assert words in the_line(("forget", "ann", "--yes"), code, monkeypatch, capsys)


def test_a_server_that_hangs_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections, and never answers
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        line = the_line(("runs",), 1, monkeypatch, capsys)
    assert "check AWS_ENDPOINT_URL and that the server answers, then run again" in line
