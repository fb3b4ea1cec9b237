"""The BentoML service: ``bentoml serve components.ranking_service.service:RankingService``.

BentoML owns the process: its start, its end, its server (uvicorn). Requests go past BentoML's layers, from a connection
to the edge and the application (decision 31)::

    uvicorn ──▶ Connection ──▶ edge ──▶ application
        └── start, end ──▶ BentoML ──▶ Lifespan ──▶ RankingService
"""

import gc
import logging
import os
import sys
from functools import cache
from threading import Thread
from typing import Any

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import HTTP_PROTOCOLS, Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from components.contracts.errors import ConfigurationError, RankloopError
from components.ranking_service.answering.admission import Rates
from components.ranking_service.http.access import Access
from components.ranking_service.http.connections import BoundedConnection, Capacity, connection_limit
from components.ranking_service.http.draining import Drain, end_with_parent
from components.ranking_service.http.edge import EdgeDependencies, EdgeMiddleware
from components.ranking_service.http.routes import ranking_app
from components.ranking_service.live.readings import show_readings
from components.ranking_service.live.serving import Serving
from components.ranking_service.settings import settings_from
from components.ranking_service.telemetry.measures import Measures
from components.ranking_service.telemetry.request_log import RequestLog
from components.ranking_service.telemetry.tracing import tracing_to

START_SECONDS = 5.0  # for a start that is under way when the service is stopped; nothing was promised before its end
SWITCH_SECONDS = 0.0005  # how long another thread may hold up an answer; Python's own 5 ms are as long as two answers

app = ranking_app()
log = logging.getLogger("bentoml.rankloop.service")


class Connection(BoundedConnection):
    """Hands its requests to the edge, past BentoML's layers.

    BentoML 1.4.39 makes a task and a timer for each request and never cancels the timer, so that every request of a
    minute stays in memory: full garbage collections then held up answers for 100 to 250 ms.
    """

    def __init__(self, config: Config, *arguments: Any, **keywords: Any) -> None:
        super().__init__(config, *arguments, **keywords)
        self.app = _behind_proxies(config)
        self.access_log = False  # the edge logs requests


HTTP_PROTOCOLS["auto"] = "components.ranking_service.service:Connection"  # BentoML names no protocol to uvicorn


@cache
def _behind_proxies(config: Config) -> Any:
    """Return the edge, behind what tells the callers of a trusted proxy apart, as uvicorn wraps an application."""
    front: Any = edge()  # uvicorn and Starlette type the same ASGI differently
    return ProxyHeadersMiddleware(front, config.forwarded_allow_ips) if config.proxy_headers else front


@cache
def edge() -> EdgeMiddleware:
    """Build the service and its edge from the environment's variables, once in a process.

    A wrong setting, or a home that cannot be used, ends the process: uvicorn catches every error of a start,
    SystemExit too, and goes on with an application that answers 500 to everything.
    """
    try:
        _check_only_worker()
        return EdgeMiddleware(app, _dependencies())
    except RankloopError as error:
        log.error("%s", error)
        os._exit(error.exit_code)


def _check_only_worker() -> None:
    """Refuse to share a port: its metrics and limits would be those of whichever process a request happens to meet."""
    number = bentoml.server_context.worker_index or 1
    if number > 1:
        raise ConfigurationError(
            f"worker {number}: found several workers on one port, expected one; start `rankloop serve` once for each"
            " --port, behind a load balancer: they share the home, and each has its own metrics"
        )


def _dependencies() -> EdgeDependencies:
    settings, measures = settings_from(os.environ), Measures()
    Connection.keep_alive_seconds = settings.http.keep_alive_seconds
    Connection.capacity = Capacity(connection_limit())
    serving = app.state.serving = Serving(settings, measures)
    drain = app.state.drain = Drain(settings.http.drain_seconds)
    show_readings(measures, serving)
    return EdgeDependencies(
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


class Lifespan:
    """Runs the edge for as long as BentoML's application lives."""

    def __init__(self, bentoml_app: ASGIApp) -> None:
        self._bentoml_app = bentoml_app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Follow the server's start and end; a WebSocket, which no ``Connection`` takes, is the edge's too."""
        if scope["type"] != "lifespan":
            await edge()(scope, receive, send)
            return
        async with edge().running():
            await self._bentoml_app(scope, receive, send)


@bentoml.service(name="rankloop", workers=1, metrics={"enabled": False})  # the service shows its own (decision 25)
@bentoml.asgi_app(app)
class RankingService:
    """Answers from the bundle that an environment serves."""

    def __init__(self) -> None:
        """Open what is live beside the loop, which says meanwhile that it is alive, and what is still read."""
        end_with_parent()
        sys.setswitchinterval(SWITCH_SECONDS)
        self._start = Thread(target=_start, name="start", daemon=True)
        self._start.start()

    @bentoml.on_shutdown
    def stop(self) -> None:
        """Put everything that was shown on disk."""
        self._start.join(START_SECONDS)
        if not self._start.is_alive():
            app.state.serving.stop()


def _start() -> None:
    """Open what is live; a start that fails ends the process.

    What is opened lives for as long as the process, so the garbage collector need not look at it again: a full
    collection that walks all of it holds up an answer.
    """
    try:
        app.state.serving.start()
        gc.collect()
        gc.freeze()
    except BaseException:
        log.exception("the service cannot start")
        os._exit(1)


RankingService.add_asgi_middleware(Lifespan)  # type: ignore[attr-defined] # the decorator is typed as if it kept the class
