"""The edge of the real server: no request leads to a server error, a traceback or a wrong answer."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.api_keys import add_key, remove_key
from tests.pipelines.homes.served_home import PATIENCE_SECONDS, Server, serving
from tests.pipelines.homes.tiny_shop import LivingHome
from tests.waiting import until

pytestmark = pytest.mark.slow(seconds=60)

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "allow_header_conformance",
    "unsupported_method",
    "negative_data_rejection",
)
EXAMPLES = 100  # of each operation and phase
SILENCE_SECONDS = 2.0  # longer than a body may take to come
BODY = b'{"user_id": "nobody", "k": 1}'
HEAD = b"POST /v1/recommend HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n"
KEPT = HEAD.replace(b"connection: close\r\n", b"")
ELSEWHERE = KEPT.replace(b"localhost", b"elsewhere.example")
LIVEZ = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n"
WEBSOCKET = (
    b"GET /v1/recommend HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
LENGTH = b"content-length: 100\r\n\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
NEVER_WHOLE = [
    (b"", None, b""),
    (LIVEZ, None, b""),
    (WEBSOCKET + LENGTH, None, b"a"),
    (LIVEZ + LENGTH, 200, b"a"),
    (LIVEZ + CHUNKED, 200, b"1"),
    (LIVEZ + b"\r\n", 200, b"\r\n"),
    (LIVEZ + b"content-length: 1\r\n\r\n", 200, b"a"),
    (ELSEWHERE + LENGTH, 401, b"a"),
    (ELSEWHERE + CHUNKED, 401, b"1"),
    (KEPT + LENGTH, 408, b"a"),
    (KEPT + CHUNKED, 408, b"1"),
    (KEPT + b"content-length: 400000\r\n\r\n" + b" " * 399_000, 413, b"a"),
]
"""What a caller sends, the answer, if any comes before the request is whole, and what the caller sends after it."""


@pytest.fixture(scope="module")
def living(baseline_home: LivingHome) -> LivingHome:
    return baseline_home


@pytest.fixture(scope="module")
def server(living: LivingHome) -> Iterator[Server]:
    limits = {"RANKLOOP_REQUESTS_PER_SECOND": "1000000", "RANKLOOP_REQUESTS_AT_ONCE": "1000000"}
    with serving(living, RANKLOOP_KEEP_ALIVE_SECONDS="12", **limits) as found:
        yield found
        printed = found.log.read_text()
    assert "Traceback" not in printed, printed[printed.index("Traceback") - 200 :][:5000]
    assert '"status":500' not in printed


@pytest.fixture(scope="module")
def address(server: Server) -> str:
    return server.address


def sent(address: str, raw: bytes) -> bytes:
    """Send bytes over a connection of their own, and return what comes back until the server closes or falls silent."""
    place = urlsplit(address)
    parts = []
    with socket.create_connection((str(place.hostname), place.port), timeout=SILENCE_SECONDS) as connection:
        try:
            connection.sendall(raw)
            while part := connection.recv(65_536):
                parts.append(part)
        except (ConnectionError, TimeoutError):
            pass
    return b"".join(parts)


def status_of(answered: bytes) -> int:
    """Status of the first answer; 0: the connection was closed without one."""
    return int(answered.split(b" ", 2)[1]) if answered else 0


def answer_on(connection: socket.socket) -> int:
    """Read one answer from a connection that stays open; return its status."""
    answer = HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def is_closed(connection: socket.socket) -> bool:
    """Wait until the server closes a connection; False: it sent something instead."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def with_body(head: bytes, body: bytes = BODY) -> bytes:
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def test_the_server_keeps_to_its_document_whatever_is_sent(address: str) -> None:
    words = [Path(sys.executable).with_name("schemathesis"), "run", f"{address}/openapi.json"]
    limits = ["--generation-deterministic", "-n", str(EXAMPLES)]
    ended = subprocess.run(
        [*map(str, words), *limits, "--checks", ",".join(CHECKS)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (with_body(HEAD), {200}),
        (with_body(HEAD.replace(b"HTTP/1.1", b"HTTP/1.0")), {200}),
        (with_body(HEAD.replace(b"host: localhost\r\n", b"")), {200, 400}),
        (b"", {0}),
        (b"\x00\x01\x02\r\n\r\n", {400}),
        (b"GET\r\n\r\n", {400}),
        (b"GET / HTTP/9.9\r\n\r\n", {400}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400}),  # a client that speaks TLS
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
        (b"GET http://elsewhere/livez HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", {200, 404}),
        (b"OPTIONS * HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", {400, 404, 405}),
        (b"CONNECT shop:80 HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", {400, 404, 405}),
        (b"BREW /v1/recommend HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", {400, 405}),
        (b"GET /livez\x00 HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", {400, 404}),
        (b"GET /v1/customers/\xff\xfe HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", {200, 400}),
        (b"GET /v1/customers/%00%ff%zz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", {200}),
        (b"GET /v1/customers?like=%00%ff&limit=%31 HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", {200}),
        (b"GET /v1/customers?limit=%D9%A1 HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", {422}),
        (b"GET /page/../../../../etc/passwd HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", {404}),
        (b"GET /page/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", {404}),
        (b"GET /page/..%5c..%5cservice.py HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", {404}),
        (b"GET //v1//recommend HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", {404}),
        (
            b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n",
            {0, 400, 404, 414, 431},
        ),
        (b"GET /livez HTTP/1.1\r\nx: " + b"a" * 200_000 + b"\r\n\r\n", {0, 200, 400, 431}),
        (b"GET /livez HTTP/1.1\r\n" + b"x: y\r\n" * 20_000 + b"\r\n", {0, 200, 400, 431}),
        (b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\nx-request-id: a\x00b\r\n\r\n", {200, 400}),
        (b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\nno colon\r\n\r\n", {400}),
        (b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n folded: y\r\n\r\n", {200, 400}),
        (HEAD + b"content-length: 29\r\ncontent-length: 3\r\n\r\n" + BODY, {400}),
        (HEAD + b"content-length: -1\r\n\r\n" + BODY, {400}),
        (HEAD + b"content-length: 1e3\r\n\r\n" + BODY, {400}),
        (HEAD + b"content-length: 99999999999999999999999999\r\n\r\n" + BODY, {0, 400, 413}),
        (HEAD + b"content-length: 400000\r\n\r\n" + b" " * 400_000, {413}),
        (
            HEAD + b"content-length: 29\r\ntransfer-encoding: chunked\r\n\r\n1d\r\n" + BODY + b"\r\n0\r\n\r\n",
            {200, 400},
        ),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n1d\r\n" + BODY + b"\r\n0\r\n\r\n", {200}),
        (HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n" + BODY, {0, 400}),
        (HEAD + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + BODY, {0, 400}),
        (HEAD + b"transfer-encoding: nonsense\r\n\r\n" + BODY, {400, 501}),
        (HEAD + b"content-length: 400\r\n\r\n" + BODY, {408}),  # the rest never comes
        (with_body(HEAD + b"expect: 100-continue\r\n"), {100, 200}),
        (with_body(HEAD + b"upgrade: websocket\r\n"), {200, 400}),
        (with_body(HEAD + b"content-encoding: gzip\r\n", b"\x1f\x8b\x08\x00nonsense"), {415}),
        (with_body(HEAD, b"\xff\xfe{\x00}\x00"), {422}),
        (with_body(HEAD, b'{"user_id": "\\ud800"}'), {200, 400, 422}),
        (with_body(HEAD, b'{"user_id": "a", "user_id": "b"}'), {200, 400, 422}),
        (with_body(HEAD, b'{"user_id": "u", "k": 1e400}'), {400, 422}),
        (with_body(HEAD, b"[" * 100_000), {400}),
        (with_body(HEAD, b'{"user_id": "u", "context": ' + b'{"a": ' * 5000 + b"1" + b"}" * 5001), {400, 422}),
        (with_body(HEAD.replace(b"application/json", b"application/json;" + b"a" * 60_000)), {0, 200, 400, 431}),
        (with_body(HEAD.replace(b"application/json", b"application/vnd.bentoml+pickle")), {415}),
        (with_body(HEAD + b"authorization: Bearer a\r\nauthorization: Bearer b\r\n"), {200}),
        (with_body(HEAD + b"traceparent: \xff\r\nx-forwarded-for: \xff, nonsense\r\n"), {200, 401}),
    ],
)
def test_no_trick_breaks_the_server(address: str, raw: bytes, expected: set[int]) -> None:
    assert status_of(sent(address, raw)) in expected
    assert httpx.get(f"{address}/livez").status_code == 200


@pytest.mark.parametrize(
    "start",
    [
        b"GET /livez HTTP/1.1\r\nx: ",
        b"GET /livez?",
        HEAD + b"transfer-encoding: chunked\r\n\r\n1d\r\n" + BODY + b"\r\n0\r\nx: ",
    ],
)
def test_a_head_or_trailer_without_end_is_cut_off(address: str, start: bytes) -> None:
    place = urlsplit(address)
    with socket.create_connection((str(place.hostname), place.port)) as connection:
        connection.sendall(start)
        with pytest.raises(ConnectionError):
            connection.sendall(b"a" * 2**26)


def test_a_request_that_never_comes_whole_holds_no_connection(address: str) -> None:
    place = urlsplit(address)
    with ExitStack() as opened:
        left = {}
        for start, status, more in NEVER_WHOLE:
            connection = socket.create_connection((str(place.hostname), place.port), timeout=PATIENCE_SECONDS)
            left[start] = opened.enter_context(connection)
            connection.sendall(start)
            if status:
                assert answer_on(connection) == status
            with suppress(ConnectionError):  # where the test stood still, the server has closed it
                connection.sendall(more)
        for start, connection in left.items():
            assert is_closed(connection), start


def test_who_is_answered_before_the_body_is_whole_may_go_on(address: str) -> None:
    place = urlsplit(address)
    with socket.create_connection((str(place.hostname), place.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(ELSEWHERE + b"content-length: %d\r\n\r\n" % len(BODY) + BODY[:1])
        assert answer_on(connection) == 401
        connection.sendall(BODY[1:2])
        connection.sendall(BODY[2:])
        connection.sendall(with_body(KEPT))
        assert answer_on(connection) == 200


def test_who_asks_far_ahead_is_cut_off_and_holds_up_nobody(address: str) -> None:
    place = urlsplit(address)
    asked = LIVEZ + b"\r\n"
    with socket.create_connection((str(place.hostname), place.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(asked * 50)
        received = b""
        while received.count(b"HTTP/1.1 200") < 50:
            received += connection.recv(65_536)
        with pytest.raises(ConnectionError):
            connection.sendall(asked * 1_000_000)
    assert httpx.get(f"{address}/livez").status_code == 200


def test_no_websocket_opens_and_each_that_is_asked_for_is_counted(server: Server) -> None:
    for path in (b"/v1/recommend", b"/", b"/ws"):
        asked = WEBSOCKET.replace(b"/v1/recommend", path) + b"\r\n"
        assert status_of(sent(server.address, asked)) == 403
    found = counted(server)
    assert [found.get((route, "403")) for route in ("/v1/recommend", "/", "other")] == [1, 1, 1]


def test_requests_on_one_connection_are_told_apart(address: str) -> None:
    first = with_body(HEAD.replace(b"close", b"keep-alive") + b"x-request-id: one\r\n")
    answered = sent(address, first + with_body(HEAD + b"x-request-id: two\r\n"))
    assert answered.count(b"HTTP/1.1 200 OK") == 2
    assert answered.index(b"x-request-id: one") < answered.index(b"x-request-id: two")


def test_callers_who_leave_at_once_leave_no_trace(address: str) -> None:
    place = urlsplit(address)
    for _ in range(10):
        with socket.create_connection((str(place.hostname), place.port)) as connection:
            connection.sendall(with_body(HEAD.replace(b"close", b"keep-alive")) * 3)
            connection.shutdown(socket.SHUT_WR)
    assert httpx.get(f"{address}/livez").status_code == 200


def test_every_answer_carries_its_id_and_stands_in_the_log_once(server: Server) -> None:
    paths = ("/v1/recommend", "/v1/rank", "/v1/events", "/nothing")
    for path in paths:
        answered = httpx.post(
            f"{server.address}{path}", json={"user_id": "nobody"}, headers={"x-request-id": f"id{path}"}
        )
        assert answered.headers["x-request-id"] == f"id{path}"
    until(lambda: '"id/nothing"' in server.log.read_text())
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    logged = [(line["request_id"], line["status"]) for line in lines if line["request_id"].startswith("id/")]
    assert logged == list(zip([f"id{path}" for path in paths], (200, 422, 422, 404), strict=True))


def test_metrics_are_there_once_and_begin_anew_with_the_process(living: LivingHome) -> None:
    with serving(living) as server:
        for _ in range(3):
            httpx.post(f"{server.address}/v1/recommend", json={"user_id": "nobody"})
        assert counted(server)["/v1/recommend", "200"] == 3
        for worker in psutil.Process(server.process.pid).children(recursive=True):
            worker.kill()
        until(lambda: is_ready(server))
        httpx.post(f"{server.address}/v1/recommend", json={"user_id": "nobody"})
        assert counted(server)["/v1/recommend", "200"] == 1


@pytest.mark.parametrize(("named", "status"), [("127.0.0.1", 200), ("192.0.2.7", 401)])
def test_a_caller_behind_a_proxy_of_this_machine_counts_as_where_it_comes_from(
    living: LivingHome, named: str, status: int
) -> None:
    with serving(living) as server:
        answered = httpx.post(
            f"{server.address}/v1/recommend", json={"user_id": "nobody"}, headers={"x-forwarded-for": named}
        )
        assert answered.status_code == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LocalHost:8080", 200),
        ("127.0.0.1", 200),
        ("[::1]:8080", 200),
        ("192.0.2.7", 200),
        (socket.gethostname(), 200),
        ("elsewhere.example", 401),
        ("localhost.elsewhere.example:8080", 401),
        ("127.0.0.1.elsewhere.example", 401),
        ("[::1", 401),
        ("@localhost.example", 401),
    ],
)
def test_a_page_of_another_name_may_not_ask_without_a_key(address: str, host: str, status: int) -> None:
    asked = {"user_id": "nobody"}
    assert httpx.post(f"{address}/v1/recommend", json=asked, headers={"host": host}).status_code == status


def test_keys_are_asked_for_as_soon_as_there_are_any(living: LivingHome) -> None:
    with serving(living) as server, httpx.Client(base_url=server.address) as client:
        assert client.get("/v1/shop").status_code == 200
        try:
            key = add_key(living.home, "web", "2026-01-01")
            until(lambda: client.get("/v1/shop").status_code == 401)
            shown = {"authorization": f"Bearer {key}"}
            assert client.get("/v1/shop", headers=shown).status_code == 200
            assert client.get("/metrics").status_code == 401
            assert {client.get(path).status_code for path in ("/livez", "/readyz", "/", "/page/index.html")} == {200}
            remove_key(living.home, "web")
            until(lambda: client.get("/v1/shop", headers=shown).status_code == 401)
        finally:
            living.home.api_keys.unlink()


def test_a_server_that_stops_says_so_and_answers_meanwhile(living: LivingHome) -> None:
    with serving(living, RANKLOOP_DRAIN_SECONDS="3") as server, httpx.Client(base_url=server.address) as client:
        server.process.send_signal(signal.SIGTERM)
        until(lambda: client.get("/readyz").status_code == 503)
        assert client.post("/v1/recommend", json={"user_id": "nobody"}).status_code == 200
        assert server.process.wait(PATIENCE_SECONDS) == 0


def test_traces_are_written_where_they_were_asked_for(living: LivingHome, tmp_path: Path) -> None:
    traces = tmp_path / "traces.jsonl"
    with serving(living, RANKLOOP_TRACES=str(traces)) as server:
        httpx.post(f"{server.address}/v1/recommend", json={"user_id": "nobody"})
    spans = {span["name"]: span for span in map(json.loads, traces.read_text().splitlines())}
    request = spans["POST /v1/recommend"]["context"]["span_id"]
    assert {name for name, span in spans.items() if span["parent_id"] == request} == {
        "features",
        "candidates",
        "scoring",
    }


def counted(server: Server) -> dict[tuple[str, str], float]:
    """Requests by route and status; each metric stands on the page once."""
    families = list(text_string_to_metric_families(httpx.get(f"{server.address}/metrics").text))
    assert len({family.name for family in families}) == len(families)
    (requests,) = (family for family in families if family.name == "rankloop_requests")
    return {(sample.labels["route"], sample.labels["status"]): sample.value for sample in requests.samples}


def is_ready(server: Server) -> bool:
    try:
        return httpx.get(f"{server.address}/readyz").status_code == 200
    except httpx.TransportError:
        return False
