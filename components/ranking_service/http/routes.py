"""The HTTP interface: a Starlette application over ``app.state.serving``."""

from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from components.contracts.errors import StoreError
from components.ranking_service.http.health import livez, metrics, readyz
from components.ranking_service.http.openapi import openapi
from components.ranking_service.http.problems import Problem
from components.ranking_service.http.rankings import rank, recommend
from components.ranking_service.http.taking_events import take_events
from components.ranking_service.page.storefront import storefront_routes

ENDPOINTS = {"/v1/recommend": recommend, "/v1/rank": rank, "/v1/events": take_events}
READINGS = {"/livez": livez, "/readyz": readyz, "/metrics": metrics, "/openapi.json": openapi}


def ranking_app() -> Starlette:
    """Make the application; whoever serves it sets ``state.serving``."""
    routes = [Route(path, endpoint, methods=["POST"]) for path, endpoint in ENDPOINTS.items()]
    routes += [Route(path, endpoint, methods=["GET"]) for path, endpoint in READINGS.items()]
    routes += storefront_routes()
    handlers: dict[Any, Any] = {Problem: _problem, HTTPException: _refused, ClientDisconnect: _left, StoreError: _later}
    app = Starlette(routes=routes, exception_handlers=handlers | {Exception: _unexpected})
    app.router.redirect_slashes = False
    app.state.serving = None
    return app


async def _problem(_: HttpRequest, error: Problem) -> Response:
    return error.response


async def _refused(_: HttpRequest, error: HTTPException) -> Response:
    return Problem(HTTPStatus(error.status_code), error.detail, error.headers).response


async def _left(_: HttpRequest, error: ClientDisconnect) -> Response:
    return Problem(HTTPStatus.BAD_REQUEST, "the body ended early").response


async def _later(_: HttpRequest, error: StoreError) -> Response:
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "the feature store cannot be reached", {"Retry-After": "1"}).response


async def _unexpected(_: HttpRequest, error: Exception) -> Response:
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "an unexpected error; the service's log has it").response
