"""The document of the service's routes: OpenAPI 3.1, from the schemas that requests are checked by."""

from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import orjson
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from components.ranking_service.http.answer_schemas import (
    Customer,
    Customers,
    EventsTaken,
    Problem,
    RankedList,
    Shop,
)
from components.ranking_service.http.bodies import BODY_SECONDS, JSON, MOST_BYTES
from components.ranking_service.http.schemas import ID_DOCUMENT, EventsRequest, RankRequest, RecommendRequest
from components.ranking_service.page.storefront import MOST_CUSTOMERS, SOME_CUSTOMERS
from components.ranking_service.settings import Limits

Document = dict[str, Any]
TEXT = "text/plain"
PROBLEM = "application/problem+json"
SCHEMAS = "#/components/schemas/{model}"
ASKED = (RecommendRequest, RankRequest, EventsRequest)
ANSWERED = (RankedList, EventsTaken, Shop, Customers, Customer, Problem)
KEPT_OUT = (401, 429)  # of every route but health
BAD_BODY = (400, 408, 413, 415, 422)
RETRY_LATER = (429, 503)
NO_TIME = 503
WHY = {
    400: "The body is not JSON, or ended early.",
    401: "An API key is asked for, and none that is known was shown.",
    405: "The path is answered to other methods.",
    408: f"The body took more than {BODY_SECONDS} s.",
    413: f"The body has more than {MOST_BYTES:,} bytes.",
    415: f"The body is not declared as {JSON}.",
    422: "A value breaks a limit of its schema; of events, none is taken.",
    429: f"More requests than one caller may send: by default {Limits().per_second:,.0f} a second.",
    503: "The service has no time, is not ready or cannot reach what it needs: come again.",
}
DESCRIPTION = """Ranked products for a shop's customers, and what came of them.

Errors are problem documents. Whatever can be read as a request is answered with an `X-Request-Id`: the caller's own, if
it sent one, else a fresh one.
Without a keys file (`rankloop keys add NAME` makes it) only the service's own machine is answered, and needs no key."""


async def openapi(request: HttpRequest) -> Response:
    """``GET /openapi.json``."""
    return Response(_content(), media_type=JSON)


@cache
def _content() -> bytes:
    return orjson.dumps(openapi_document())


def openapi_document() -> Document:
    """Return the document."""
    _, schemas = models_json_schema(
        [(model, "validation") for model in ASKED] + [(model, "serialization") for model in ANSWERED],
        ref_template=SCHEMAS,
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Rankloop ranking service", "version": _version(), "description": DESCRIPTION},
        "paths": _paths(),
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "parameters": {"RequestId": _request_id()},
            "headers": {
                "RequestId": {"schema": {"type": "string"}, "required": True},
                "RetryAfter": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."},
            },
        },
    }


def _paths() -> Document:
    user_id = _parameter("user_id", "path", ID_DOCUMENT)
    like = _parameter("like", "query", {"type": "string", "default": ""})
    limits = {"type": "integer", "minimum": 1, "maximum": MOST_CUSTOMERS, "default": SOME_CUSTOMERS}
    limit = _parameter("limit", "query", limits)
    return {
        "/v1/recommend": _post("recommend", "Rank products for a user.", RecommendRequest, 200, RankedList),
        "/v1/rank": _post("rank", "Order given items for a user.", RankRequest, 200, RankedList),
        "/v1/events": _post("events", "Say what was shown and what came of it.", EventsRequest, 202, EventsTaken),
        "/v1/shop": _get("shop", "What there is to choose from.", _json(Shop), (NO_TIME,)),
        "/v1/customers": _get(
            "customers", "Customers whose ids begin with a text.", _json(Customers), (422, NO_TIME), (like, limit)
        ),
        "/v1/customers/{user_id}": _get(
            "customer", "What a customer bought.", _json(Customer), (422, NO_TIME), (user_id,)
        ),
        "/metrics": _get("metrics", "Numbers for Prometheus.", _text(), ()),
        "/openapi.json": _get("openapi", "This document.", {JSON: {"schema": {"type": "object"}}}, ()),
        "/livez": _health("livez", "Whether the process answers.", ()),
        "/readyz": _health("readyz", "Whether to send requests here.", (NO_TIME,)),
    }


def _post(name: str, summary: str, asked: type[BaseModel], status: int, answered: type[BaseModel]) -> Document:
    body = {"required": True, "content": _json(asked)}
    answers = _answers(status, _json(answered), (*BAD_BODY, *KEPT_OUT, NO_TIME))
    return {"post": _operation(name, summary, answers) | {"requestBody": body}}


def _get(
    name: str, summary: str, content: Document, problems: Sequence[int], parameters: Sequence[Document] = ()
) -> Document:
    operation = _operation(name, summary, _answers(200, content, (*KEPT_OUT, *problems)))
    operation["parameters"] += parameters
    return {"get": operation}


def _health(name: str, summary: str, problems: Sequence[int]) -> Document:
    return {"get": _operation(name, summary, _answers(200, _text(), problems)) | {"security": []}}


def _operation(name: str, summary: str, answers: Document) -> Document:
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [{"$ref": "#/components/parameters/RequestId"}],
        "responses": answers,
        "security": [{}, {"key": []}],
    }


def _answers(status: int, content: Document, problems: Sequence[int]) -> Document:
    told = {str(status): _answer(HTTPStatus(status).phrase, content)}
    for problem in sorted({405, *problems}):
        told[str(problem)] = _answer(WHY[problem], {PROBLEM: {"schema": _reference(Problem)}}, problem in RETRY_LATER)
    return told


def _answer(description: str, content: Document, retry_later: bool = False) -> Document:
    headers = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
    if retry_later:
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    return {"description": description, "headers": headers, "content": content}


def _json(model: type[BaseModel]) -> Document:
    return {JSON: {"schema": _reference(model)}}


def _text() -> Document:
    return {TEXT: {"schema": {"type": "string"}}}


def _reference(model: type[BaseModel]) -> Mapping[str, str]:
    return {"$ref": SCHEMAS.format(model=model.__name__)}


def _parameter(name: str, place: str, schema: Document) -> Document:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _request_id() -> Document:
    told = "Taken over when it is 1 to 100 visible ASCII characters; else a fresh one is. A list's id begins with it."
    return _parameter("X-Request-Id", "header", {"type": "string"}) | {"description": told}


def _version() -> str:
    try:
        return version("rankloop")
    except PackageNotFoundError:
        return "0"
