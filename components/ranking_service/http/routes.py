"""The HTTP interface: the table of routes, and the Starlette application over ``app.state.serving``."""

from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route as StarletteRoute

from components.contracts.errors import StoreError
from components.ranking_service.http.bodies import JSON
from components.ranking_service.http.draining import Drain
from components.ranking_service.http.openapi import openapi_content
from components.ranking_service.http.page_routes import (
    DEFAULT_CUSTOMERS,
    MAX_CUSTOMERS,
    Customer,
    Customers,
    asset,
    customer,
    customers,
    page,
    page_assets,
    shop,
)
from components.ranking_service.http.problems import problem_response, unavailable
from components.ranking_service.http.rankings import RankedList, rank, recommend
from components.ranking_service.http.route import Admission, Parameter, Route, RouteTable
from components.ranking_service.http.schemas import ID_DOCUMENT, EventsRequest, RankRequest, RecommendRequest
from components.ranking_service.http.taking_events import EventsTaken, events
from components.ranking_service.live.serving import serving_of
from components.ranking_service.page.storefront import Shop
from components.ranking_service.telemetry.measures import CONTENT_TYPE


async def livez(_: Request) -> Response:
    """Say that the process answers."""
    return PlainTextResponse("alive")


async def readyz(request: Request) -> Response:
    """Say whether there is something to rank with."""
    serving = serving_of(request)
    if request.app.state.drain.begun:
        raise unavailable("the service is about to stop")
    if serving is None or serving.unready:
        raise unavailable(serving.unready if serving else "there is nothing to rank with yet")
    return PlainTextResponse("ready")


async def metrics(request: Request) -> Response:
    """Show what Prometheus reads."""
    return Response(serving_of(request).measures.page(), media_type=CONTENT_TYPE)


async def openapi(request: Request) -> Response:
    """Describe the routes of the application."""
    return Response(openapi_content(request.app.state.routes), media_type=JSON)


USER_ID = Parameter("user_id", "path", ID_DOCUMENT)
LIKE = Parameter("like", "query", {"type": "string", "default": ""})
LIMIT = Parameter(
    "limit", "query", {"type": "integer", "minimum": 1, "maximum": MAX_CUSTOMERS, "default": DEFAULT_CUSTOMERS}
)

ROUTES = RouteTable(
    Route(
        "POST",
        "/v1/recommend",
        recommend,
        "Rank products for a user.",
        request=RecommendRequest,
        answer=RankedList,
        admission=Admission.SHED,
    ),
    Route(
        "POST",
        "/v1/rank",
        rank,
        "Order given items for a user.",
        request=RankRequest,
        answer=RankedList,
        admission=Admission.SHED,
    ),
    Route(
        "POST",
        "/v1/events",
        events,
        "Say what was shown and what came of it.",
        request=EventsRequest,
        answer=EventsTaken,
        status=202,
        admission=Admission.READ_FIRST,
    ),
    Route("GET", "/v1/shop", shop, "What there is to choose from.", answer=Shop),
    Route(
        "GET",
        "/v1/customers",
        customers,
        "Customers whose ids begin with a text.",
        answer=Customers,
        problems=(422,),
        parameters=(LIKE, LIMIT),
    ),
    Route(
        "GET",
        "/v1/customers/{user_id:text}",
        customer,
        "What a customer bought.",
        answer=Customer,
        problems=(422,),
        parameters=(USER_ID,),
    ),
    Route("GET", "/metrics", metrics, "Numbers for Prometheus.", is_logged=False),
    Route("GET", "/openapi.json", openapi, "This document.", answer=dict[str, Any]),
    Route("GET", "/livez", livez, "Whether the process answers.", admission=Admission.OPEN, is_logged=False),
    Route(
        "GET",
        "/readyz",
        readyz,
        "Whether to send requests here.",
        problems=(503,),
        admission=Admission.OPEN,
        is_logged=False,
    ),
    Route("GET", "/", page, admission=Admission.OPEN),
    Route("GET", "/page/{asset}", asset, admission=Admission.OPEN),
)


def ranking_app(routes: RouteTable = ROUTES) -> Starlette:
    """Make the application; who serves it sets ``state.serving`` and ``state.drain``."""
    handlers: dict[Any, Any] = {
        HTTPException: _refused,
        ClientDisconnect: _client_disconnected,
        StoreError: _store_unavailable,
        Exception: _unexpected,
    }
    app = Starlette(
        routes=[StarletteRoute(route.path, route.endpoint, methods=[route.method]) for route in routes],
        exception_handlers=handlers,
    )
    app.router.redirect_slashes = False
    page_assets()  # read now, while there surely are file descriptors
    app.state.serving, app.state.drain, app.state.routes = None, Drain(), routes
    return app


async def _refused(_: Request, error: HTTPException) -> Response:
    return problem_response(error)


async def _client_disconnected(_: Request, error: ClientDisconnect) -> Response:
    return problem_response(HTTPException(HTTPStatus.BAD_REQUEST, "the body ended early"))


async def _store_unavailable(_: Request, error: StoreError) -> Response:
    return problem_response(unavailable("the feature store cannot be reached"))


async def _unexpected(_: Request, error: Exception) -> Response:
    detail = "an unexpected error; the service's log has it"
    return problem_response(HTTPException(HTTPStatus.INTERNAL_SERVER_ERROR, detail))
