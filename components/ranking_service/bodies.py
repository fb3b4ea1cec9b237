"""Reading request bodies: JSON of a bounded size within a bounded time, or a problem that says what was found."""

import asyncio
from http import HTTPStatus
from typing import TypeVar

from pydantic import ValidationError
from starlette.requests import Request

from components.ranking_service.problems import Problem
from components.ranking_service.schemas import Document

MOST_BYTES = 256 * 1024
MOST_ECHOED = 100  # characters of what the caller sent that an answer repeats
BODY_SECONDS = 1.0
JSON = "application/json"
Asked = TypeVar("Asked", bound=Document)


async def read_body(request: Request, kind: type[Asked]) -> Asked:
    """Read a request's body.

    Raises:
        Problem: it is not JSON, too large, too slow, or breaks a limit of its schema.
    """
    given = request.headers.get("content-type", "nothing").partition(";")[0].strip().lower()[:MOST_ECHOED]
    if given != JSON:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content-type: found {given}, expected {JSON}")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return kind.model_validate_json(await _content(request))
    except TimeoutError as error:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, f"the body took more than {BODY_SECONDS} s") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))[:MOST_ECHOED] or "body"
        malformed = first["type"] == "json_invalid"
        status = HTTPStatus.BAD_REQUEST if malformed else HTTPStatus.UNPROCESSABLE_ENTITY
        raise Problem(status, f"{place}: {first['msg']}") from error


async def _content(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {MOST_BYTES:,} bytes")
    return bytes(body)
