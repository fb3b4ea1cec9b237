"""The BentoML service: ``bentoml serve components.ranking_service.service:RankingService``."""

import gc
import logging
import os
import sys
from copy import copy
from functools import cache
from threading import Thread
from typing import Any

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import HTTP_PROTOCOLS, Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from components.contracts.errors import ConfigurationError
from components.ranking_service.answering.admission import Rates
from components.ranking_service.http.access import Access
from components.ranking_service.http.connections import BoundedConnection
from components.ranking_service.http.draining import Drain, end_with_parent
from components.ranking_service.http.edge import Edge, Gate
from components.ranking_service.http.room import Room, connection_limit
from components.ranking_service.http.routes import ranking_app
from components.ranking_service.live.readings import show_readings
from components.ranking_service.live.serving import Serving
from components.ranking_service.settings import settings_from
from components.ranking_service.telemetry.measures import Measures
from components.ranking_service.telemetry.request_log import RequestLog
from components.ranking_service.telemetry.tracing import tracing_to

START_SECONDS = 5.0  # for a start that is under way when the service is stopped; nothing was promised before its end
SWITCH_SECONDS = 0.0005  # how long another thread may keep an answer waiting; Python's own 5 ms are two answers

BENTOML_SILENT: dict[str, Any] = {
    "metrics": {"enabled": False},
    "logging": {"access": {"enabled": False}},
    "tracing": {"excluded_urls": ".*"},
}
"""The edge measures, logs and traces. BentoML would keep a series for ever for each path that anybody asks, and make a
span that nobody reads of each request that comes through it."""

logging.getLogger("uvicorn.access").propagate = False  # else uvicorn words a line for each request that nobody prints

HTTP_PROTOCOLS["auto"] = "components.ranking_service.service:Connection"  # BentoML lets uvicorn choose

app = ranking_app()
log = logging.getLogger("bentoml.rankloop.service")


@cache
def gate() -> Gate:
    """Build the service and its edge from the environment's variables, once in a process.

    What is set wrong ends the process: uvicorn catches every error of a start, SystemExit too, and goes on with an
    application that answers 500 to everything.
    """
    try:
        return _gate()
    except ConfigurationError as error:
        log.error("%s", error)
        os._exit(error.exit_code)


def _gate() -> Gate:
    settings, measures = settings_from(os.environ), Measures()
    Connection.keep_alive_seconds = settings.http.keep_alive_seconds
    serving = app.state.serving = Serving(settings, measures)
    drain = app.state.drain = Drain(settings.http.drain_seconds)
    show_readings(measures, serving)
    return Gate(
        Access(settings.home.api_keys),
        Rates(settings.admission),
        serving.queue,
        drain,
        measures,
        RequestLog(),
        tracing_to(settings.telemetry.traces),
        settings.http.origins,
        lambda: serving.starting,
    )


class Connection(BoundedConnection):
    """Gives its requests to our application directly, past BentoML's layers, once the service has begun.

    BentoML 1.4.39 makes a task for each request and never cancels its timer, so that all requests of a minute stay in
    memory; its tracing looks at every path, be it to leave it out.
    """

    edge: Edge | None = None

    def __init__(self, config: Config, *given: Any, **named: Any) -> None:
        super().__init__(config, *given, **named)
        if self.edge is not None:
            self.app = _past(self.app, self.edge)


@cache
def _past(loaded: Any, edge: Edge) -> Any:
    """The edge in the place of BentoML's application, behind what tells callers of a proxy apart, if there is that."""
    if not isinstance(loaded, ProxyHeadersMiddleware):
        return edge
    found: Any = copy(loaded)
    found.app = edge
    return found


def _start() -> None:
    """Open what is live, and let the garbage collector never look at it again; a start that fails ends the process."""
    try:
        app.state.serving.start()
        gc.collect()
        gc.freeze()
    except BaseException:
        log.exception("the service cannot start")
        os._exit(1)


class OurRoutes:
    """Gives every request to our application, behind its edge; BentoML keeps the server's start and end."""

    def __init__(self, bentoml_app: ASGIApp) -> None:
        self._bentoml_app = bentoml_app
        self._edge = Connection.edge = Edge(self._inside, gate())
        Connection.room = Room(connection_limit())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass the server's start and end on."""
        await self._edge(scope, receive, send)

    async def _inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (app if scope["type"] == "http" else self._bentoml_app)(scope, receive, send)


@bentoml.service(name="rankloop", workers=1, **BENTOML_SILENT)
@bentoml.asgi_app(app)
class RankingService:
    """Answers from the bundle that an environment serves."""

    def __init__(self) -> None:
        """Open what is live beside the loop, which says meanwhile that it is alive, and what is still read."""
        end_with_parent()
        sys.setswitchinterval(SWITCH_SECONDS)
        gate()
        self._start = Thread(target=_start, name="start", daemon=True)
        self._start.start()

    @bentoml.on_shutdown
    def stop(self) -> None:
        """Put everything that was shown on disk."""
        self._start.join(START_SECONDS)
        if not self._start.is_alive():
            app.state.serving.stop()


RankingService.add_asgi_middleware(OurRoutes)  # type: ignore[attr-defined] # the decorator is typed as if it kept the class
