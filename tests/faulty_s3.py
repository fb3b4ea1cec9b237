"""A server between a client and a real S3 server that does one thing wrong."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from unittest import mock
from urllib.parse import urlsplit

from tests.servers import QuietHTTPServer, answering

HOP_BY_HOP = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
CONDITIONS = {"if-match", "if-none-match"}


@dataclass(frozen=True)
class Exchange:
    """A request, or the answer to it, which has a status; ``sent`` of its bytes are sent, all by default."""

    method: str
    path: str
    headers: dict[str, str]
    content: bytes
    status: int = 0
    sent: int | None = None


def unchanged(exchange: Exchange) -> Exchange:
    return exchange


def failing(status: int, code: str) -> Callable[[Exchange], Exchange]:
    """Answer a request, or replace its answer, with an S3 error."""
    content = f"<Error><Code>{code}</Code><Message>as configured</Message></Error>".encode()
    return lambda exchange: replace(exchange, status=status, headers={}, content=content)


def without_conditions(request: Exchange) -> Exchange:
    """Forget the conditions of a request, as stores do that know none."""
    kept = {name: value for name, value in request.headers.items() if name.lower() not in CONDITIONS}
    return replace(request, headers=kept)


def cut_short(answer: Exchange) -> Exchange:
    """Send half of an object, and end the connection."""
    return replace(answer, sent=len(answer.content) // 2) if answer.method == "GET" else answer


@dataclass
class FaultySeries:
    """Do something wrong a number of times; ``left`` is how often it is still to come."""

    fault: Callable[[Exchange], Exchange]
    left: int
    seen: list[str] = field(default_factory=list)

    def __call__(self, exchange: Exchange) -> Exchange:
        self.seen.append(exchange.method)
        self.left -= 1
        return self.fault(exchange) if self.left >= 0 else exchange


@contextmanager
def faulty_s3(
    endpoint: str,
    request: Callable[[Exchange], Exchange] = unchanged,
    answer: Callable[[Exchange], Exchange] = unchanged,
) -> Iterator[str]:
    """Pass requests on to a server unless they have been answered, and its answers back; give the address.

    It is the endpoint of the environment as long as it runs, and no longer.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            asked = request(Exchange(self.command, self.path, dict(self.headers), content))
            self.reply(answer(asked if asked.status else _answer(endpoint, asked)))

        def reply(self, answered: Exchange) -> None:
            self.send_response(answered.status)
            for name, value in answered.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            length = answered.headers.get("Content-Length", "0") if self.command == "HEAD" else len(answered.content)
            self.send_header("content-length", str(length))
            self.end_headers()
            self.wfile.write(answered.content[: answered.sent])
            self.close_connection = answered.sent is not None

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = pass_on  # noqa: N815 - names of the base class

        def log_message(self, *_: object) -> None:
            pass

    with (
        answering(QuietHTTPServer(("127.0.0.1", 0), Handler)) as server,
        mock.patch.dict(os.environ, AWS_ENDPOINT_URL=server.url),
    ):
        yield server.url


def _answer(endpoint: str, asked: Exchange) -> Exchange:
    connection = HTTPConnection(urlsplit(endpoint).netloc, timeout=60)
    try:
        connection.request(asked.method, asked.path, asked.content or None, asked.headers)
        response = connection.getresponse()
        return replace(asked, status=response.status, headers=dict(response.getheaders()), content=response.read())
    finally:
        connection.close()
