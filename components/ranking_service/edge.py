"""The service's edge: every request passes here once on its way in and once on its way out.

::

    request ──▶ its id ──▶ key ──▶ rate ──▶ room? ──▶ application
    response ◀── X-Request-Id ◀── measures, log, trace ◀──┘

What is refused here is a problem document like any other.
"""

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.ranking_service.access import ADVICE, CHALLENGE, Access, is_open
from components.ranking_service.admission import Rates, Turn
from components.ranking_service.draining import Drain
from components.ranking_service.measures import Measures
from components.ranking_service.problems import Problem
from components.ranking_service.request_log import RequestLog
from components.ranking_service.visits import REQUEST_ID, SCOPE_KEY, Visit, request_id_of

ANSWERS = ("/v1/recommend", "/v1/rank")
ROUTES = frozenset(
    {*ANSWERS, "/v1/events", "/v1/shop", "/v1/customers", "/openapi.json", "/metrics", "/livez", "/readyz", "/"}
)
FOLDERS = {"/page/": "/page/{asset}", "/v1/customers/": "/v1/customers/{id}"}
OTHER_ROUTE = "other"
QUIET_ROUTES = ("/livez", "/readyz", "/metrics")  # not logged: probes would fill the log
Report = Callable[[Visit, int], None]


@dataclass(frozen=True)
class Gate:
    """What the edge asks and tells; one for the life of the service."""

    access: Access
    rates: Rates
    turn: Turn
    drain: Drain
    measures: Measures
    log: RequestLog
    trace: Report | None = None


class Edge:
    """ASGI middleware around the whole application, BentoML's own routes included."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app, self._gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the server's start and end."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(request_id_of(scope["headers"]), _route_of(scope["path"]), _address(scope))
        scope[SCOPE_KEY] = visit
        stamp = (REQUEST_ID, visit.request_id.encode())
        status = 0

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), stamp]}
            await send(message)

        try:
            self._admit(scope, visit)
        except HTTPException as refused:
            await _problem(refused)(scope, receive, stamped)
        else:
            await self._app(scope, receive, stamped)
        finally:
            self._report(visit, status or HTTPStatus.INTERNAL_SERVER_ERROR)

    def _admit(self, scope: Scope, visit: Visit) -> None:
        gate, path = self._gate, scope["path"]
        if path == "/readyz" and gate.drain.begun:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "the service is about to stop", {"Retry-After": "1"})
        if is_open(path):
            return
        caller = gate.access.caller(scope["headers"])
        if caller is not None:
            visit.caller = caller
        elif not _is_local(visit.caller):
            found = "found no API keys in the home and a caller on another machine"
            raise HTTPException(HTTPStatus.UNAUTHORIZED, f"{found}, {ADVICE}", CHALLENGE)
        gate.rates.admit(visit.caller)
        if path in ANSWERS:
            gate.turn.check()

    def _report(self, visit: Visit, status: int) -> None:
        milliseconds = (time.perf_counter_ns() - visit.began_ns) / 1e6
        self._gate.measures.take(visit, status, milliseconds)
        if visit.route not in QUIET_ROUTES:
            self._gate.log.put(visit, status, milliseconds)
        if self._gate.trace is not None:
            self._gate.trace(visit, status)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._gate.drain.follow_signals()
        self._gate.log.start()
        try:
            await self._app(scope, receive, send)
        finally:
            self._gate.log.stop()


def _route_of(path: str) -> str:
    """What metrics and the log call a path: one of a few names, whatever callers ask for."""
    if path in ROUTES:
        return path
    return next((route for folder, route in FOLDERS.items() if path.startswith(folder)), OTHER_ROUTE)


def _address(scope: Scope) -> str:
    """Where a request comes from; a server without addresses (a socket file) serves this machine."""
    client = scope.get("client")
    return str(client[0]) if client else "127.0.0.1"


@lru_cache(maxsize=1024)
def _is_local(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def _problem(refused: HTTPException) -> ASGIApp:
    response = Problem(HTTPStatus(refused.status_code), refused.detail).response
    response.headers.update(refused.headers or {})
    return response
