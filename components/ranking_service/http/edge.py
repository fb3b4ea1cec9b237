"""The service's edge: every request passes here once on its way in and once on its way out.

::

    request ──▶ its id ──▶ key ──▶ rate ──▶ turn, or a short queue ──▶ application
    response ◀── X-Request-Id ◀── measures, log, trace ◀────────────────┘

A refusal is a problem document like any other. A WebSocket is closed before it opens, for every caller.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from threading import Event, Thread

from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.ranking_service.answering.admission import REFUSAL_SECONDS, Rates
from components.ranking_service.answering.answer_queue import AnswerQueue
from components.ranking_service.http.access import LOOK_SECONDS, Access, Headers, check_is_here
from components.ranking_service.http.draining import Drain
from components.ranking_service.http.problems import problem_response, unavailable
from components.ranking_service.http.route import Admission, RouteTable
from components.ranking_service.http.routes import ROUTES
from components.ranking_service.telemetry.measures import Measures
from components.ranking_service.telemetry.request_context import REQUEST_ID, SCOPE_KEY, RequestContext, request_id_of
from components.ranking_service.telemetry.request_log import RequestLog
from components.ranking_service.telemetry.tracing import Tracing

READING_COST = 2.0  # of what is neither a list nor events, such as the metrics
LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
CLOSED = "the handler is closed"  # uvloop, of a caller who sent several requests at once and left
CALLER_LEFT = 499  # what nginx logs for it
ANSWER_SECONDS = 1.8  # an answer takes a hundredth of it, and a body may take half
CLOSE = (b"connection", b"close")  # tells callers to send nothing more here: the service is about to stop
POLICY_VIOLATION = 1008  # RFC 6455, 7.4.1


@dataclass(frozen=True)
class EdgeDependencies:
    """The parts of the service that decide on requests and report them; one for the life of the service."""

    access: Access
    rates: Rates
    queue: AnswerQueue
    drain: Drain
    measures: Measures
    log: RequestLog
    tracing: Tracing | None = None
    origins: Sequence[str] = ()  # of pages on other hosts that may ask
    starting: Callable[[], str | None] = lambda: None
    """Returns what a service that cannot answer yet is still reading."""
    routes: RouteTable = ROUTES


class EdgeMiddleware:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, parts: EdgeDependencies) -> None:
        self._app, self._parts = app, parts
        self._admitting = _with_cors(self._admitted, parts.origins)
        self._late = _with_cors(problem_response(_too_late()), parts.origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            NotImplementedError: the server speaks a protocol that the service does not.
        """
        kind = scope["type"]
        if kind == "http":
            await self._answer(scope, receive, send)
        elif kind == "websocket":
            await self._refuse(scope, receive, send)
        else:
            raise NotImplementedError(f"ASGI scope: found {kind!r}, expected http or websocket")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow signals and keys, and write the log and spans, for as long as the server runs."""
        parts = self._parts
        parts.drain.follow_signals()
        parts.log.start()
        stopping = Event()
        Thread(target=_follow, args=(parts.access, stopping), name="keys", daemon=True).start()
        try:
            yield
        finally:
            stopping.set()
            parts.log.stop()
            if parts.tracing is not None:
                parts.tracing.stop()

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close a WebSocket before it opens, which servers answer 403."""
        context = self._context_of(scope)
        context.status = HTTPStatus.FORBIDDEN
        try:
            await receive()
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        finally:
            self._report({**scope, "method": "GET"}, context)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = self._context_of(scope)
        scope[SCOPE_KEY] = context
        stamp = (REQUEST_ID, context.request_id.encode())

        limit = asyncio.timeout(ANSWER_SECONDS)

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                if not limit.expired():
                    limit.reschedule(None)  # an answer that has begun is brought to its end
                context.status = message["status"]
                closing = (CLOSE,) if self._parts.drain.begun else ()
                message = {**message, "headers": [*message.get("headers", ()), stamp, *closing]}
            try:
                await send(message)
            except RuntimeError as error:
                if CLOSED not in str(error):
                    raise
                context.status = CALLER_LEFT
            if message["type"] == "http.response.body" and not message.get("more_body"):
                context.ended_ns = time.perf_counter_ns()

        try:
            async with limit:
                await self._admitting(scope, receive, stamped)
        except TimeoutError:
            if not limit.expired():
                raise
            await self._late(scope, receive, stamped)
        finally:
            self._report(scope, context)

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the application answer a request, or the problem that refuses it."""
        app, route = self._app, self._parts.routes.find(scope["path"])
        try:
            if not route.is_open:
                await self._admit(route.admission, scope["headers"], scope[SCOPE_KEY])
        except HTTPException as refused:
            app = problem_response(refused)
            if refused.status_code in LATER:
                await asyncio.sleep(REFUSAL_SECONDS)
        await app(scope, receive, send)

    async def _admit(self, admission: Admission, headers: Headers, context: RequestContext) -> None:
        parts = self._parts
        caller = parts.access.caller(headers)
        if caller is not None:
            context.caller = caller
        else:
            check_is_here(context.caller, headers)
        reading = parts.starting()
        if reading is not None:
            raise unavailable(f"the service starts, and is still reading {reading}")
        parts.rates.admit(context.caller)
        context.charge = partial(parts.rates.charge, context.caller)
        if admission is Admission.SHED:
            parts.queue.check(context.caller)
        elif admission is Admission.QUEUED:
            await parts.queue.turn(context.caller, READING_COST)

    def _context_of(self, scope: Scope) -> RequestContext:
        label = self._parts.routes.find(scope["path"]).label
        return RequestContext(request_id_of(scope["headers"]), label, _address(scope))

    def _report(self, scope: Scope, context: RequestContext) -> None:
        """Report a request whose answer was sent; what the application does after that is not its time."""
        context.ended_ns = context.ended_ns or time.perf_counter_ns()
        self._parts.measures.take(context)
        if self._parts.routes.find(scope["path"]).is_logged:
            self._parts.log.put(context)
        if self._parts.tracing is not None:
            self._parts.tracing.trace(scope, context)


def _follow(access: Access, stopping: Event) -> None:
    """Look at the keys beside the loop, which a bucket that does not answer must not hold up."""
    while not stopping.wait(LOOK_SECONDS):
        access.follow()


def _with_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Let pages of some origins ask; what a browser asks beforehand carries no key, and is answered here."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "POST"),
        allow_headers=("Authorization", "Content-Type", "X-Request-Id"),
        expose_headers=("X-Request-Id", "Retry-After"),
        allow_private_network=True,  # such as a page of the shop that asks a service on this machine
    )


def _address(scope: Scope) -> str:
    """Where a request comes from; a server without addresses (a socket file) serves this machine."""
    client = scope.get("client")
    return str(client[0]) if client else "127.0.0.1"


def _too_late() -> HTTPException:
    limit = f"the answer took more than {ANSWER_SECONDS} s"
    return unavailable(f"{limit}; ask again, and send events again: none is taken twice")
