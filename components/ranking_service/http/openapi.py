"""The document of the service's routes: OpenAPI 3.1, from their table and the types that it names."""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import orjson
from pydantic import TypeAdapter

from components.ranking_service.http.bodies import BODY_SECONDS, JSON, MAX_BYTES
from components.ranking_service.http.problems import MEDIA_TYPE, Problem
from components.ranking_service.http.route import Parameter, Route, RouteTable
from components.ranking_service.settings import Limits

Document = dict[str, Any]
Mode = Literal["validation", "serialization"]
Schemas = Mapping[tuple[str, Mode], Document]
TEXT = "text/plain"
SCHEMAS = "#/components/schemas/{model}"
ALWAYS = (405,)
UNLESS_OPEN = (401, 429, 503)
WITH_BODY = (400, 408, 413, 415, 422)
RETRY_LATER = (429, 503)
WHY = {
    400: "The body is not JSON, or ended early.",
    401: "An API key is asked for, and none that is known was shown.",
    405: "The path is answered to other methods.",
    408: f"The body took more than {BODY_SECONDS} s.",
    413: f"The body has more than {MAX_BYTES:,} bytes.",
    415: f"The body is not declared as {JSON}.",
    422: "A value breaks a limit of its schema; of events, none is taken.",
    429: f"More requests than one caller may send: by default {Limits().per_second:,.0f} a second.",
    503: "The service has no time, is not ready or cannot reach what it needs: come again.",
}
DESCRIPTION = """Ranked products for a shop's customers, and what came of them.

Errors are problem documents. Whatever can be read as a request is answered with an `X-Request-Id`: the caller's own, if
it sent one, else a fresh one.
Without a keys file (`rankloop keys add NAME` makes it) only the service's own machine is answered, and needs no key."""
REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": (
        "Taken over when it is 1 to 100 visible ASCII characters; else a fresh one is. A list's id begins with it."
    ),
}


@cache
def openapi_content(routes: RouteTable) -> bytes:
    """Return the document of some routes as JSON, made once."""
    return orjson.dumps(openapi_document(routes))


def openapi_document(routes: RouteTable) -> Document:
    """Return the document of some routes."""
    documented = [route for route in routes if route.summary]
    schemas, definitions = _schemas(documented)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Rankloop ranking service", "version": _version(), "description": DESCRIPTION},
        "paths": {route.label: {route.method.lower(): _operation(route, schemas)} for route in documented},
        "components": {
            "schemas": definitions,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "parameters": {"RequestId": REQUEST_ID},
            "headers": {
                "RequestId": {"schema": {"type": "string"}, "required": True},
                "RetryAfter": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."},
            },
        },
    }


def _schemas(routes: list[Route]) -> tuple[Schemas, Document]:
    """Return the schema of each route's body and answer, and the definitions that these refer to."""
    named: list[tuple[str, Mode, TypeAdapter[Any]]] = [(MEDIA_TYPE, "serialization", TypeAdapter(Problem))]
    for route in routes:
        named.append((route.label, "serialization", TypeAdapter(route.answer)))
        if route.request is not None:
            named.append((route.label, "validation", TypeAdapter(route.request)))
    schemas, below = TypeAdapter.json_schemas(named, ref_template=SCHEMAS)
    definitions: Document = below["$defs"]
    for definition in definitions.values():
        if definition["type"] == "object":
            definition.setdefault("additionalProperties", False)
    return schemas, definitions


def _operation(route: Route, schemas: Schemas) -> Document:
    operation = {
        "operationId": route.endpoint.__name__,
        "summary": route.summary,
        "parameters": [{"$ref": "#/components/parameters/RequestId"}, *map(_parameter, route.parameters)],
        "responses": _responses(route, schemas),
        "security": [] if route.is_open else [{}, {"key": []}],
    }
    if route.request is not None:
        body = {JSON: {"schema": schemas[route.label, "validation"]}}
        operation["requestBody"] = {"required": True, "content": body}
    return operation


def _responses(route: Route, schemas: Schemas) -> Document:
    media_type = TEXT if route.answer is str else JSON
    content = {media_type: {"schema": schemas[route.label, "serialization"]}}
    problem = {MEDIA_TYPE: {"schema": schemas[MEDIA_TYPE, "serialization"]}}
    refusals = {str(status): _response(WHY[status], problem, status in RETRY_LATER) for status in _refusals(route)}
    return {str(route.status): _response(HTTPStatus(route.status).phrase, content)} | refusals


def _refusals(route: Route) -> list[int]:
    closed, body = () if route.is_open else UNLESS_OPEN, WITH_BODY if route.request else ()
    return sorted({*ALWAYS, *closed, *body, *route.problems})


def _response(description: str, content: Document, retry_later: bool = False) -> Document:
    headers = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
    if retry_later:
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    return {"description": description, "headers": headers, "content": content}


def _parameter(parameter: Parameter) -> Document:
    is_required = parameter.place == "path"
    return {"name": parameter.name, "in": parameter.place, "required": is_required, "schema": parameter.schema}


def _version() -> str:
    try:
        return version("rankloop")
    except PackageNotFoundError:
        return "0"
