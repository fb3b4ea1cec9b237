"""The HTTP interface: a Starlette application over the recommender that is live (``app.state.recommender``)."""

import asyncio
import uuid
from http import HTTPStatus
from typing import Any, TypeVar

import orjson
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from components.ranking_service.problems import Problem
from components.ranking_service.recommender import Answer, RankedItem, Recommender
from components.ranking_service.schemas import RankRequest, RecommendRequest, Request

MOST_BYTES = 256 * 1024
MOST_ECHOED = 100  # characters of what the caller sent that an answer repeats
BODY_SECONDS = 1.0
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
JSON = "application/json"
Asked = TypeVar("Asked", bound=Request)


def ranking_app() -> Starlette:
    """Make the application; whoever serves it sets the recommender."""
    routes = [Route(path, endpoint, methods=["POST"]) for path, endpoint in ENDPOINTS.items()]
    routes.append(Route("/{path:path}", nothing_here, methods=METHODS))
    handlers: dict[Any, Any] = {Problem: _problem, HTTPException: _refused, ClientDisconnect: _left}
    app = Starlette(routes=routes, exception_handlers=handlers | {Exception: _unexpected})
    app.router.redirect_slashes = False
    return app


async def recommend(request: HttpRequest) -> Response:
    """Answer with a user's ranked list."""
    asked = await _read(request, RecommendRequest)
    live: Recommender = request.app.state.recommender
    k = asked.k or live.bundle.manifest.k
    return _response(live.recommend(asked.user_id, k, asked.exclude, asked.explain), asked.explain)


async def rank(request: HttpRequest) -> Response:
    """Answer with given items in order."""
    asked = await _read(request, RankRequest)
    live: Recommender = request.app.state.recommender
    return _response(live.rank(asked.user_id, asked.items, asked.explain), asked.explain)


async def nothing_here(request: HttpRequest) -> Response:
    """Refuse what no endpoint answers."""
    if request.url.path in ENDPOINTS:
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
    raise HTTPException(HTTPStatus.NOT_FOUND)


ENDPOINTS = {"/v1/recommend": recommend, "/v1/rank": rank}


async def _read(request: HttpRequest, kind: type[Asked]) -> Asked:
    """Read a request's body.

    Raises:
        Problem: it is not JSON, too large, or breaks a limit of its schema.
    """
    given = request.headers.get("content-type", "nothing").partition(";")[0].strip().lower()[:MOST_ECHOED]
    if given != JSON:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content-type: found {given}, expected {JSON}")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return kind.model_validate_json(await _body(request))
    except TimeoutError as error:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, f"the body took more than {BODY_SECONDS} s") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))[:MOST_ECHOED] or "body"
        malformed = first["type"] == "json_invalid"
        status = HTTPStatus.BAD_REQUEST if malformed else HTTPStatus.UNPROCESSABLE_ENTITY
        raise Problem(status, f"{place}: {first['msg']}") from error


async def _body(request: HttpRequest) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {MOST_BYTES:,} bytes")
    return bytes(body)


def _response(answer: Answer, explain: bool) -> Response:
    document = {
        "request_id": uuid.uuid4().hex,
        "bundle": answer.bundle,
        "fallback": answer.fallback,
        "items": [_item(item, explain) for item in answer.items],
    }
    return Response(orjson.dumps(document), media_type=JSON)


def _item(item: RankedItem, explain: bool) -> dict[str, Any]:
    return {"item_id": item.item_id, "score": item.score} | ({"reasons": item.reasons} if explain else {})


async def _problem(_: HttpRequest, error: Problem) -> Response:
    return error.response


async def _refused(_: HttpRequest, error: HTTPException) -> Response:
    response = Problem(HTTPStatus(error.status_code), error.detail).response
    response.headers.update(error.headers or {})
    return response


async def _left(_: HttpRequest, error: ClientDisconnect) -> Response:
    return Problem(HTTPStatus.BAD_REQUEST, "the body ended early").response


async def _unexpected(_: HttpRequest, error: Exception) -> Response:
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "an unexpected error; the service's log has it").response
