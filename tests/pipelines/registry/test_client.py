"""Where the client of registries sends a password."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from components.contracts.errors import RegistryError
from pipelines.registry.client import Registry, may_be_plain


class Recorder(HTTPServer):
    """A server that asks for a password, answers uploads with a place of one's choice, and keeps what it got."""

    def __init__(self, challenge: str = "Basic") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.challenge, self.location = challenge, ""
        self.got: list[tuple[str, str | None]] = []

    @property
    def address(self) -> str:
        """Return its host and port."""
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers for a Recorder."""

    server: Recorder

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        given = self.headers.get("Authorization")
        self.server.got.append((self.command, given))
        status = {"HEAD": 404, "POST": 202, "PUT": 201}.get(self.command, 200) if given else 401
        self.send_response(status)
        self.send_header("WWW-Authenticate", self.server.challenge)
        self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD = do_POST = do_PUT = _answer  # noqa: N815 (the names of http.server)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(server: Recorder) -> Iterator[Recorder]:
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def log_in(login: Path, address: str) -> None:
    password = base64.b64encode(b"robot:secret").decode()
    login.write_text(json.dumps({"auths": {address: {"auth": password}}}))


def test_a_store_behind_the_registry_gets_no_password(login: Path) -> None:
    with served(Recorder()) as registry, served(Recorder()) as store:
        log_in(login, registry.address)
        registry.location = f"http://{store.address}/upload"
        with pytest.raises(RegistryError, match="asks for credentials"):
            Registry(f"{registry.address}/shop/steps").push_blob(b"content")
        assert [given for command, given in registry.got if command == "POST"] == ["Basic cm9ib3Q6c2VjcmV0"]
        assert {given for _, given in store.got} == {None}


def test_a_realm_without_tls_elsewhere_gets_no_password(login: Path) -> None:
    with served(Recorder('Bearer realm="http://tokens.example.org/token",service="registry"')) as registry:
        log_in(login, registry.address)
        with pytest.raises(RegistryError, match="asks for its password at http://tokens"):
            Registry(f"{registry.address}/shop/steps").push_blob(b"content")


@pytest.mark.parametrize(
    ("host", "without_password", "with_password"),
    [
        ("localhost:5000", True, True),
        ("127.0.0.1:5000", True, True),
        ("[::1]:5000", True, True),
        ("10.0.0.7:5000", True, False),
        ("192.168.1.7", True, False),
        ("8.8.8.8", False, False),
        ("localhost.example.org", False, False),
        ("127.example.org", False, False),
        ("10.example.org:5000", False, False),
    ],
)
def test_plain_http_is_for_this_machine_and_without_a_password_for_its_network(
    host: str, without_password: bool, with_password: bool
) -> None:
    assert (may_be_plain(host, False), may_be_plain(host, True)) == (without_password, with_password)
