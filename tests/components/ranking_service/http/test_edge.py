"""Every request passes the edge: its id, its key, its rate, room for it; and what is reported of it."""

import asyncio
import json
import socket
import threading
from contextlib import nullcontext
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Scope

from components.ranking_service.answering.admission import Rates, retry_later
from components.ranking_service.answering.answer_queue import AnswerQueue
from components.ranking_service.http import edge
from components.ranking_service.http.access import Access
from components.ranking_service.http.api_keys import ApiKey, hash_of, update_keys
from components.ranking_service.http.draining import Drain
from components.ranking_service.http.edge import EdgeDependencies, EdgeMiddleware
from components.ranking_service.settings import Limits
from components.ranking_service.telemetry import request_log
from components.ranking_service.telemetry.measures import Measures
from components.ranking_service.telemetry.request_context import RequestContext, context_of
from components.ranking_service.telemetry.request_log import MAX_LINES, RequestLog
from components.ranking_service.telemetry.tracing import Tracing

KEY = "rk_key"
SHOWN = {"authorization": f"Bearer {KEY}"}


@pytest.fixture
def parts(tmp_path: Path) -> EdgeDependencies:
    limits = Limits()
    access = Access(tmp_path / "api_keys.json")
    return EdgeDependencies(
        access, Rates(limits), AnswerQueue(limits), Drain(), Measures(), RequestLog(lambda lines: None)
    )


class FullQueue(AnswerQueue):
    """A queue in which 100 requests wait."""

    def check(self, caller: str = "", cost: float = 1.0) -> None:
        raise retry_later(HTTPStatus.SERVICE_UNAVAILABLE, "100 requests are waiting already", 1.5)


def closed(parts: EdgeDependencies, tmp_path: Path) -> EdgeDependencies:
    update_keys(tmp_path / "api_keys.json", lambda _: [ApiKey("web", hash_of(KEY.encode()), "2026-01-01")])
    parts.access.follow()
    return parts


async def recommend(request: Request) -> Response:
    context = context_of(request)
    context.arm, context.bundle, context.user_id = "champion", "sha256:1", "ann"
    with context.stopwatch("scoring"):
        pass
    return JSONResponse({"request_id": context.request_id, "caller": context.caller})


async def broken(request: Request) -> Response:
    raise RuntimeError("broken")


async def endless(request: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


async def unasked(*_: object) -> None:
    raise AssertionError("the application was asked")


def ask(parts: EdgeDependencies, method: str, path: str, address: str = "127.0.0.1", **request: Any) -> httpx.Response:
    app = Starlette(routes=[Route("/v1/recommend", recommend, methods=["POST"]), Route("/broken", broken)])
    app.router.routes.append(Route("/endless", endless))
    transport = httpx.ASGITransport(EdgeMiddleware(app, parts), raise_app_exceptions=False, client=(address, 1))

    async def answered() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **request)

    return asyncio.run(answered())


def counted(parts: EdgeDependencies, name: str) -> dict[tuple[str, ...], float]:
    page = text_string_to_metric_families(parts.measures.page().decode())
    return {
        tuple(sample.labels.values()): sample.value
        for family in page
        for sample in family.samples
        if sample.name == name
    }


def refused(answered: httpx.Response, status: int) -> str:
    assert answered.status_code == status
    assert answered.headers["content-type"] == "application/problem+json"
    assert answered.json()["status"] == status
    assert answered.headers["x-request-id"]
    return str(answered.json()["detail"])


def test_a_service_that_stops_lets_go_of_its_callers(parts: EdgeDependencies) -> None:
    assert "connection" not in ask(parts, "POST", "/v1/recommend").headers
    parts.drain.begun = True
    assert ask(parts, "POST", "/v1/recommend").headers["connection"] == "close"


def test_what_stands_still_is_a_problem_with_when_to_try_again(
    parts: EdgeDependencies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "ANSWER_SECONDS", 0.05)
    answered = ask(parts, "GET", "/endless")
    assert "more than 0.05 s" in refused(answered, 503)
    assert answered.headers["retry-after"] == "1"
    assert counted(parts, "rankloop_requests_total") == {("other", "503"): 1.0}
    assert ask(parts, "POST", "/v1/recommend").status_code == 200


def test_the_callers_request_id_is_taken_over(parts: EdgeDependencies) -> None:
    answered = ask(parts, "POST", "/v1/recommend", headers={"x-request-id": "shop-7!~"})
    assert answered.headers["x-request-id"] == answered.json()["request_id"] == "shop-7!~"


@pytest.mark.parametrize("given", [[b""], [b"x" * 101], [b"two words"], [b"\xff"], [b"tab\t"], [b"a", b"b"]])
def test_an_id_that_is_none_is_replaced(parts: EdgeDependencies, given: list[bytes]) -> None:
    answered = ask(parts, "POST", "/v1/recommend", headers=[(b"x-request-id", value) for value in given])
    (request_id,) = answered.headers.get_list("x-request-id")
    assert len(request_id) == 32
    assert request_id == answered.json()["request_id"]


def test_without_keys_this_machine_alone_is_answered(parts: EdgeDependencies) -> None:
    for address in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"):
        assert ask(parts, "POST", "/v1/recommend", address).json()["caller"] == address
    for address in ("10.0.0.7", "::ffff:10.0.0.7", "nonsense", ""):
        answered = ask(parts, "POST", "/v1/recommend", address)
        assert "a caller on another machine, expected one header `Authorization: Bearer KEY`" in refused(answered, 401)
        assert ask(parts, "GET", "/livez", address).status_code == 404, "the application was asked"


@pytest.mark.parametrize("host", ["localhost:8080", "LOCALHOST", "127.0.0.1", "[::1]:8080", socket.gethostname()])
def test_without_keys_this_machines_own_names_are_answered(parts: EdgeDependencies, host: str) -> None:
    assert ask(parts, "POST", "/v1/recommend", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["shop.example", "localhost.shop.example:8080", "", "[::1", "127.0.0.1@shop.example"])
def test_without_keys_a_page_of_another_name_is_not(parts: EdgeDependencies, host: str) -> None:
    answered = ask(parts, "POST", "/v1/recommend", headers={"host": host})
    assert "a host name that is not this machine's" in refused(answered, 401)
    assert ask(parts, "GET", "/livez", headers={"host": host}).status_code == 404, "the application was asked"


def test_with_keys_one_must_be_shown(parts: EdgeDependencies, tmp_path: Path) -> None:
    parts = closed(parts, tmp_path)
    assert ask(parts, "POST", "/v1/recommend", "10.0.0.7", headers=SHOWN).json()["caller"] == "web"
    assert ask(parts, "POST", "/v1/recommend", headers={"host": "shop.example", **SHOWN}).status_code == 200
    for path in ("/v1/recommend", "/metrics", "/openapi.json", "/schema.json", "/nothing", "/page"):
        answered = ask(parts, "GET", path)
        assert "found no API key" in refused(answered, 401)
        assert answered.headers["www-authenticate"] == 'Bearer realm="rankloop"'
    for path in ("/livez", "/readyz", "/", "/page/app.js"):
        assert ask(parts, "GET", path).status_code == 404, "the application was asked"


def test_a_caller_that_asks_too_often_is_told_when_to_come_again(parts: EdgeDependencies) -> None:
    parts = replace(parts, rates=Rates(Limits(per_second=0.5, burst=2)))
    statuses = [ask(parts, "POST", "/v1/recommend").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    answered = ask(parts, "POST", "/v1/recommend")
    assert "more requests than one caller may send" in refused(answered, 429)
    assert answered.headers["retry-after"] == "2"
    assert ask(parts, "POST", "/v1/recommend", "127.0.0.2").status_code == 200
    assert ask(parts, "GET", "/livez").status_code == 404, "health is never limited"


def test_what_would_wait_too_long_is_refused_before_it_is_read(parts: EdgeDependencies) -> None:
    parts = replace(parts, queue=FullQueue(Limits()))
    answered = ask(parts, "POST", "/v1/recommend")
    assert "100 requests are waiting already; come again in 2 s" in refused(answered, 503)
    assert answered.headers["retry-after"] == "2"
    assert ask(parts, "GET", "/v1/shop").status_code == 404, "only answers that take turns are shed"


def test_requests_are_counted_by_routes_that_are_few(parts: EdgeDependencies) -> None:
    ask(parts, "POST", "/v1/recommend")
    for path in ("/v1/customers/ann", "/v1/customers/bob", "/page/a.js", "/page/../x", "/wp-login.php", "/%00"):
        ask(parts, "GET", path)
    ask(parts, "GET", "/broken")
    assert counted(parts, "rankloop_requests_total") == {
        ("/v1/recommend", "200"): 1,
        ("/v1/customers/{user_id}", "404"): 2,
        ("/page/{asset}", "404"): 1,
        ("other", "404"): 3,
        ("other", "500"): 1,
    }
    assert counted(parts, "rankloop_stage_duration_seconds_count") == {
        ("champion", "scoring"): 1,
        ("champion", "total"): 1,
    }


def test_each_request_is_one_line_without_the_users_id(parts: EdgeDependencies) -> None:
    lines: list[bytes] = []
    parts = replace(parts, log=RequestLog(lines.append, key=b"k"))
    ask(parts, "POST", "/v1/recommend", headers={"x-request-id": "r1"})
    ask(parts, "GET", "/livez")
    ask(parts, "GET", "/v1/customers/ann")
    parts.log.start()
    parts.log.stop()
    first, second = (json.loads(line) for line in b"".join(lines).splitlines())
    assert first.pop("time").endswith("+00:00")
    assert first.pop("ms") >= 0
    assert first == {
        "request_id": "r1",
        "route": "/v1/recommend",
        "status": 200,
        "caller": "127.0.0.1",
        "arm": "champion",
        "bundle": "sha256:1",
        "user": parts.log.mark("ann"),
    }
    assert (second["route"], second["status"]) == ("/v1/customers/{user_id}", 404)
    assert b"ann" not in b"".join(lines)


def test_what_follows_an_answer_is_not_its_time(parts: EdgeDependencies) -> None:
    seen: list[RequestContext] = []

    async def answer(request: Request) -> Response:
        seen.append(context_of(request))
        return Response(background=BackgroundTask(note, seen[0]))

    async def note(context: RequestContext) -> None:
        ended.append(context.ended_ns)

    ended: list[int] = []
    edge = EdgeMiddleware(Starlette(routes=[Route("/", answer)]), parts)

    async def asked() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="http://localhost") as client:
            await client.get("/")

    asyncio.run(asked())
    assert ended == [seen[0].ended_ns]
    assert seen[0].seconds > 0


@pytest.mark.parametrize(("said", "is_ours"), [("<TCPTransport>; the handler is closed", False), ("broken", True)])
def test_a_caller_who_left_is_no_error(parts: EdgeDependencies, said: str, is_ours: bool) -> None:
    async def gone(_: object) -> None:
        raise RuntimeError(said)

    scope: Scope = {"type": "http", "path": "/", "headers": [], "client": None}
    with pytest.raises(RuntimeError, match=said) if is_ours else nullcontext():
        asyncio.run(EdgeMiddleware(JSONResponse({}), parts)(scope, None, gone))  # type: ignore[arg-type]
    assert (("/", "499") in counted(parts, "rankloop_requests_total")) is not is_ours


PAGE = {"origin": "https://shop.example"}
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, content-type"}


def test_pages_of_listed_origins_may_ask_with_a_key(parts: EdgeDependencies, tmp_path: Path) -> None:
    parts = replace(closed(parts, tmp_path), origins=("https://shop.example",))
    preflight = ask(parts, "OPTIONS", "/v1/recommend", headers=PAGE | PREFLIGHT)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert {"authorization", "content-type"} <= set(
        preflight.headers["access-control-allow-headers"].lower().split(", ")
    )
    for headers, status in ((PAGE | SHOWN, 200), (PAGE, 401)):
        answered = ask(parts, "POST", "/v1/recommend", headers=headers)
        assert answered.status_code == status
        assert answered.headers["access-control-allow-origin"] == "https://shop.example"
        assert "X-Request-Id" in answered.headers["access-control-expose-headers"]
        assert answered.headers["vary"] == "Origin"
    assert counted(parts, "rankloop_requests_total") == {
        ("/v1/recommend", "200"): 2,
        ("/v1/recommend", "401"): 1,
    }


def test_pages_on_other_origins_can_read_a_timeout_too(
    parts: EdgeDependencies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "ANSWER_SECONDS", 0.05)
    answered = ask(replace(parts, origins=("https://shop.example",)), "GET", "/endless", headers=PAGE)
    assert (answered.status_code, answered.headers["access-control-allow-origin"]) == (503, "https://shop.example")


@pytest.mark.parametrize("origins", [(), ("https://other.example",)])
def test_pages_of_other_origins_may_not_ask(parts: EdgeDependencies, tmp_path: Path, origins: tuple[str, ...]) -> None:
    parts = replace(closed(parts, tmp_path), origins=origins)
    assert ask(parts, "OPTIONS", "/v1/recommend", headers=PAGE | PREFLIGHT).status_code in (400, 401)
    for headers in (PAGE | PREFLIGHT, PAGE | SHOWN):
        answered = ask(parts, "POST", "/v1/recommend", headers=headers)
        assert "access-control-allow-origin" not in answered.headers


def test_the_edge_follows_the_servers_start_and_end(parts: EdgeDependencies) -> None:
    started: list[bool] = []

    class Following(Drain):
        def follow_signals(self) -> None:
            started.append(True)

    async def run() -> None:
        async with EdgeMiddleware(unasked, replace(parts, drain=Following(), log=log)).running():
            log.put(RequestContext("r", "/", ""))

    lines: list[bytes] = []
    log = RequestLog(lines.append)
    asyncio.run(run())
    assert json.loads(b"".join(lines))["request_id"] == "r"
    assert started == [True]


def test_a_websocket_is_refused_before_it_opens(parts: EdgeDependencies) -> None:
    lines, sent = list[bytes](), list[Message]()

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "websocket", "path": "/v1/recommend", "headers": [], "client": ("10.0.0.7", 1)}
    spans = InMemorySpanExporter()
    tracing = Tracing(spans)
    parts = replace(parts, log=RequestLog(lines.append), tracing=tracing)
    asyncio.run(EdgeMiddleware(unasked, parts)(scope, receive, send))
    tracing.stop()
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert counted(parts, "rankloop_requests_total") == {("/v1/recommend", "403"): 1}
    assert [span.name for span in spans.get_finished_spans()] == ["GET /v1/recommend"]
    parts.log.start()
    parts.log.stop()
    line = json.loads(b"".join(lines))
    assert (line["route"], line["status"], line["caller"]) == ("/v1/recommend", 403, "10.0.0.7")


def test_a_scope_that_is_unknown_is_an_error(parts: EdgeDependencies) -> None:
    with pytest.raises(NotImplementedError, match="found 'telnet', expected http or websocket"):
        asyncio.run(EdgeMiddleware(unasked, parts)({"type": "telnet"}, None, None))  # type: ignore[arg-type]


def test_a_slow_terminal_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "STOP_SECONDS", 60)
    read, written = threading.Event(), list[bytes]()

    def slow(lines: bytes) -> None:
        read.wait(60)
        written.append(lines)

    log = RequestLog(slow)
    log.start()
    for number in range(3 * MAX_LINES):
        log.put(RequestContext(str(number), "/", ""))
    assert MAX_LINES <= log.dropped <= 2 * MAX_LINES
    read.set()
    log.stop()
    lines = [json.loads(line) for line in b"".join(written).splitlines()]
    assert sum(line.get("dropped_lines", 0) for line in lines) == log.dropped
    assert sum("request_id" in line for line in lines) == 3 * MAX_LINES - log.dropped
