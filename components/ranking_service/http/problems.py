"""Errors as callers see them: RFC 9457 problem documents, never a traceback."""

from http import HTTPStatus
from typing import Annotated, Literal

import orjson
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from typing_extensions import TypedDict  # pydantic reads that of ``typing`` from Python 3.12 on

MEDIA_TYPE = "application/problem+json"


class Problem(TypedDict):
    """Why a request was not answered (RFC 9457)."""

    type: Literal["about:blank"]
    title: Annotated[str, Field(description="The status in words.")]
    status: int
    detail: Annotated[str, Field(description="What was found and what was expected.")]


def problem_response(error: HTTPException) -> Response:
    """Return the problem document of an error."""
    status = HTTPStatus(error.status_code)
    problem: Problem = {"type": "about:blank", "title": status.phrase, "status": status, "detail": error.detail}
    return Response(orjson.dumps(problem), status, error.headers, media_type=MEDIA_TYPE)


def unavailable(detail: str) -> HTTPException:
    """Return the error that asks a caller to come again in a second."""
    return HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "1"})
