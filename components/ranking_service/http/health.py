"""``GET /livez``, ``/readyz`` and ``/metrics``."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from components.ranking_service.http.problems import Problem
from components.ranking_service.live.serving import serving_of
from components.ranking_service.telemetry.measures import CONTENT_TYPE


async def livez(request: Request) -> Response:
    """Say that the process answers."""
    return PlainTextResponse("alive")


async def readyz(request: Request) -> Response:
    """Say whether there is something to rank with."""
    serving = serving_of(request)
    if serving is not None and serving.reading:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"still reading {serving.reading}", {"Retry-After": "1"})
    if serving is None or serving.live is None:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "there is nothing to rank with yet", {"Retry-After": "1"})
    return PlainTextResponse("ready")


async def metrics(request: Request) -> Response:
    """Show what Prometheus reads."""
    return Response(serving_of(request).measures.page(), media_type=CONTENT_TYPE)
